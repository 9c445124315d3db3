"""A complete configuration with every key explained: what `lineward config example` prints."""

EXAMPLE = """\
# One Lineward station. Check it with: lineward config check FILE    Run it with: lineward run FILE

[station]
name = "station-1"              # names the station in records, on the page and in the API

[camera]
name = "top"
backend = "simulated"           # or "replay"; `lineward cameras list` shows what is there
speed_mm_s = 300.0              # the simulated belt
pitch_mm = 60.0                 # distance between parts
# backend = "replay"            # a folder of images or a video instead of a camera
# path = "photos/"
# rate_hz = 5.0
# loop = true

[model]
bundle = "zoo:parts"            # the demo's model; or the folder or zip that `lineward train` wrote
# threshold = 0.5               # defect probability from which a part is rejected; absent: what the card proposes

# [region]                      # the rectangle of the frame that the model looks at, in pixels; absent: all of it
# x = 0
# y = 0
# width = 640
# height = 480

[geometry]
camera_to_ejector_mm = 300.0    # from the photo-eye to the ejector
belt_speed_mm_s = 300.0
# travel_time_s = 1.0           # instead of the two above
margin_ms = 5.0                 # kept free between the last moment for a verdict and the reject command

[inference]
# workers = 2                   # absent: one per core, at most 4
max_batch = 4
queue_capacity = 64             # parts that may wait for the model; one more is rejected as LATE

[ejector]
driver = "simulated"            # a relay board at the far end of a real pseudo-terminal; or "lcus", "modbus_rtu"
# port = "/dev/serial/by-id/…"  # a real board: the by-id path stays the same after a reboot
channel = 1                     # the relay that fires the ejector
pulse_ms = 30.0
window_ms = 20.0                # a pulse further from its due time than this is counted as a fault
actuator_delay_ms = 0.0         # from the relay to the moved part
heartbeat_channel = 2           # a second relay for a watchdog that stops the belt; without it silence is not safe

[simulation]                    # what lies on the simulated belt
seed = 10000
defect_rate = 0.1

[reactions]                     # per fault: warn, reject_all, hold or stop_line, as docs/fail-safe.md allows
# camera_gone = "stop_line"     # nothing passes, the heartbeat stops the belt, and the line waits for Start
# ejector_port_gone = "hold"    # nothing passes until somebody confirms on the page
rejects_in_a_row_limit = 20     # from here on "rejects in a row" is a fault
run_out_s = 2.0                 # how long the belt takes to stand

[records]
dir = "lineward-data"

[api]
address = "127.0.0.1:50051"

[page]
port = 8080
language = "en"                 # or "ko"
"""
