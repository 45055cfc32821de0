"""What a CloudStack cloud is made of: one module of plain dataclasses per family, no behaviour beyond derived facts."""
