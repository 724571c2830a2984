"""Numbers that both sides of the wire agree on; each has its unit in its name."""

from typing import Final

PROTOCOL_VERSION: Final = 1

BODY_MAX_BYTES: Final = 8 * 2**20
BODY_INFLATED_MAX_BYTES: Final = 64 * 2**20
INFLATION_RATIO_MAX: Final = 200
LINE_MAX_BYTES: Final = 2**20
FRAME_RECORDS_MAX: Final = 2000
# Each costs a signature; what comes after them is sent again.
BODY_FRAMES_MAX: Final = 1000

JSON_DEPTH_MAX: Final = 32
JSON_INTEGER_MAX: Final = 2**53 - 1

NARRATIVE_MAX_CHARS: Final = 20_000
TEXT_MAX_CHARS: Final = 2_000
BOX_MAX_CHARS: Final = 400_000
LINKAGE_MAX_CHARS: Final = 22_000
READERS_MAX: Final = 64

# A frame is what one cut can cost. Source: 1 to 2 s of air at 60 kbit/s.
FRAME_MIN_BYTES: Final = 8 * 2**10
FRAME_MAX_BYTES: Final = 16 * 2**10

# An id is named down the wire by at least this many hexadecimal digits.
ID_PREFIX_MIN_DIGITS: Final = 8

# Claimed dates outside these years are a slip of the pen or of a clock.
YEAR_MIN: Final = 1900
YEAR_MAX: Final = 2200

# Bytes of files that are sent, of each and of all that one complaint declares, where the keyring says nothing else.
FILE_MAX_BYTES: Final = 25 * 2**20
COMPLAINT_FILES_MAX_BYTES: Final = 100 * 2**20
COMPLAINT_FILES_MAX: Final = 100
NEED_MAX: Final = 100
