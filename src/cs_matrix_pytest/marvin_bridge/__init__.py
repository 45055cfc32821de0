"""The bridge to Marvin, CloudStack's own test library, in any of its forms; Marvin itself is never changed on disk.

`locate` finds a Marvin, `loading` makes it importable (4.4.0 through `port44`), `nose_shim` stands in for nose,
`connect` gives one face to both Marvins, `trace` records what Marvin did.
"""
