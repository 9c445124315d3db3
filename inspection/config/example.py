"""A complete configuration with every key explained: what `lineward config example` prints."""

EXAMPLE = """\
# One Lineward station. Check it with: lineward config check FILE    Run it with: lineward run FILE

[station]
name = "station-1"              # names the station in records, on the page and in the API

[camera]
name = "top"
backend = "simulated"           # a real one: further below; `lineward cameras list` shows what is there
speed_mm_s = 300.0              # the simulated belt
pitch_mm = 60.0                 # distance between parts
# backend = "replay"            # a folder of images or a video instead of a camera
# path = "photos/"
# rate_hz = 5.0
# loop = true
# frames = 1                    # frames of each part, one after the other: each is a view (not simulated or replay)
# region = {x = 0, y = 0, width = 320, height = 240}   # where the model looks in its pictures; absent: [region]; a list
#                               # [{…}, {…}] has one for each of its frames
# lens = "lens.json"            # lens and perspective, from `lineward cameras calibrate`: docs/geometry.md
# align = {reference = "part.align", max_shift_px = 40.0, max_angle_deg = 10.0, min_score = 0.6}   # the part is looked
#                               # for and judged where it lies; needs a region; not found, it is rejected
# trigger = "software"          # instead of rate_hz: a picture when the PLC (Trigger) or a program (TriggerCamera) asks
# threshold = 0.5               # of this camera's views; absent: that of [model]
# weight = 1.0                  # of this camera's views, where [fusion] is weighted

# A real camera (docs/cameras.md): GigE Vision or USB3 Vision "aravis", the vendor's GenTL producer "genicam", Basler
# "pylon". What is written here is read back at the start, and looked at every 30 s while the line runs.
# backend = "aravis"
# device = "40012345"           # serial number, user name or address; absent: the only one that is connected
# pixel_format = "Mono8"        # PFNC name; absent: as the device has it, as with everything that is left out
# roi = [0, 0, 1280, 1024]      # x, y, width, height on the sensor
# exposure_us = 2000.0
# gain = 0.0                    # in the device's unit, mostly dB; black_level, gamma, white_balance likewise
# trigger = "line"              # a photo-eye at an input; or "free_run", "software", "encoder", "action"
# trigger_line = "Line1"        # with trigger_edge = "rising", trigger_delay_us, trigger_debounce_us
# strobe_line = "Line2"         # the output that lights the flash, with strobe_delay_us, strobe_duration_us
# ptp = true                    # its clock follows the network's (IEEE 1588)
# features = {ReverseX = true}  # any other GenICam feature by its name
# own_process = true            # the driver cannot take the station down; watchdog_s = 5.0 ends one that hangs
# producer = "/opt/…/x.cti"     # genicam alone: the vendor's producer
#
# To look, and not to eject by: they have no trigger, and a picture that is lost on the way is not known.
# backend = "uvc"               # a USB camera; device = "/dev/video0", pixel_format = "YUYV", size = [640, 480],
#                               # exposure_us, gain, white_balance_k, focus, controls = {…}
# backend = "rtsp"              # a network camera; url = "rtsp://user:{password}@192.168.1.20/stream", with
#                               # password_env = "CAMERA_PASSWORD"

# Several cameras are written as [[camera]] instead of [camera], at most eight. The first gives the triggers; a frame of
# another one finds its part by place, so [geometry] needs camera_to_ejector_mm and belt_speed_mm_s.
# [[camera]]
# name = "side"
# backend = "simulated"
# region = {width = 320, height = 480}   # its own part of the picture
# position_mm = 40.0            # from the photo-eye to where it looks
# window_ms = 10.0              # how far from its place an exposure may be; closest_ms must exceed twice that
# transfer_ms = 0.0             # how long after its time stamp a frame comes at the least, if its clock cannot be asked
# arrival_ms = 200.0            # how long after its exposure a frame may come

# [fusion]
# rule = "any"                  # any view that is NOT_OK rejects, by the threshold of its camera; or "weighted"
# threshold = 0.5               # of the weighted mean; refused with rule any, and for parts of one view, as weight is

# [free_run]                    # the camera runs free (backend "conveyor"): parts are found in its pictures
# part_length_px = 240
# direction = "right"           # right, left, down or up
# line = 0.5                    # where a part triggers, as a share of the picture's length
# band_from = 0.0               # which share of the belt's width is looked at
# band_to = 1.0
# cell_px = 4                   # pixels that are averaged to one

[model]
bundle = "zoo:parts"            # the demo's model; or the folder or zip that `lineward train` wrote
# threshold = 0.5               # defect probability from which a part is rejected; absent: what the card proposes
# novelty_limit = 1.0           # how far a picture may be off those of the training; absent: as the card says

# [region]                      # where the model looks in the pictures of cameras without a region of their own, in
#                               # pixels; absent: all of it. It must lie inside the picture
# x = 0
# y = 0
# width = 640
# height = 480

# [quality]                     # a picture outside these limits is not judged, its part rejected (IMAGE_QUALITY). A
#                               # camera may have its own, quality = {…}; `lineward quality learn FILE` proposes them
# focus_min = 0.004             # least sharpness, brightness_min/_max (0…255), saturated_max and dark_max (shares),
# brightness_min = 90.0         # x_min … y_max (where the detail has its centre), uneven_max, dirt_max, smear_max
# in_a_row = 3                  # so many in a row raise an alarm
# drift_share = 0.6             # a median that has gone so far towards a limit warns before anything is rejected

# [identity]                    # a serial number for each part: docs/identity.md
# source = "code"               # from a code on the part (extra lineward[codes]); "mes": named by the MES before the
#                               # part triggers; "counted": prefix and number; "none"
# camera = "top"                # which camera sees the code; with frame = 2, in which of its frames; absent: the first
# region = {x = 400, y = 300, width = 200, height = 150}   # where it is looked for: the smaller, the quicker
# formats = ["DataMatrix", "QRCode", "Code128"]   # or Aztec, PDF417, Code39, Code93, Codabar, ITF, EANUPC, DataBar
# match = "LW-*"                # codes that do not fit are passed over; * ? [0-9] as in names of files
# thorough = true               # look for inverted and for large blurred codes, too: twice the time
# max_length = 64               # characters; a longer code counts as unreadable
# unreadable = "reject"         # a part without a serial number: reject, "ask" (reject and ask a person), or "count":
#                               # it is judged all the same, and has a counted number
# duplicate = "reject"          # a part with the number of another one that went on: reject, ask or count
# scope = "lot"                 # a number goes on once in a lot; "all": once on this station
# remember = 100000             # … among the last so many parts
# prefix = "P"                  # of counted numbers, with digits = 8; they begin at 1 in each lot, or go on for ever
# workers = 1                   # threads that read codes; queue_capacity = 16 parts may wait, one more is LATE

[geometry]
camera_to_ejector_mm = 300.0    # from the photo-eye to the ejector
belt_speed_mm_s = 300.0
# travel_time_s = 1.0           # instead of the two above
# encoder_counts_per_mm = 20.0  # a controller's encoder follows the belt; belt_speed_mm_s is then its highest speed
# closest_ms = 60.0             # smallest time between two parts; absent: as long as a pulse; `config check` holds
#                               # pulse_ms and window_ms against it
# separation_ms = 35.0          # a reject takes along what follows it by less; absent: pulse and window
margin_ms = 5.0                 # kept free between the last moment for a verdict and the reject command

[inference]
# workers = 2                   # absent: one per core, at most 4
# priority = "normal"           # of this station's process where several share the machine: "high" goes first (needs
#                               # the right to, LimitNICE=-10), "low" gives way; the ejector's process stays as it is
max_batch = 4
queue_capacity = 64             # parts that may wait for the model; one more is rejected as LATE
# engine = "auto"               # what `lineward model optimise` chose; or "onnxruntime", "openvino"; or "kserve", a
#                               # server that has the bundle's model: Triton, OpenVINO Model Server, another station

# [inference.remote]            # for engine "kserve" (Open Inference Protocol, gRPC). The bundle's golden vectors are
#                               # run on the server at the start, after each break and every check_s
# address = "192.168.1.30:8001"
# model = "parts"               # its name there; absent: that of the card
# version = "1"                 # absent: the server's choice
# timeout_ms = 200.0            # no answer by then, and the parts in hand are rejected
# check_s = 30.0
# tls = false                   # true wherever the network is not the machine's own; ca_file names who is trusted,
#                               # cert_file and key_file who this station is

[ejector]
driver = "simulated"            # a relay board at the far end of a real pseudo-terminal; or "lcus", "modbus_rtu",
                                # "modbus_flash", "kmtronic", "numato", "devantech"; or "controller", which times and
                                # rejects by itself (docs/controller-protocol.md)
# port = "/dev/serial/by-id/…"  # a real board: the by-id path stays the same after a reboot
channel = 1                     # the relay that fires the ejector
# mode = "positive_release"     # a gate that rejects by itself; a pulse lets a part pass
# overlap = "queue"             # reject pulses that overlap each get their own; absent: they merge
# require = [4]                 # refuse a wiring that cannot keep this promise (4: silence is safe)
pulse_ms = 30.0
window_ms = 20.0                # a pulse further from its due time than this is counted as a fault
actuator_delay_ms = 0.0         # from the relay to the moved part
heartbeat_channel = 2           # a second relay for a watchdog that stops the belt; without it silence is not safe

[simulation]                    # what lies on the simulated belt
seed = 10000
defect_rate = 0.1
# shift_px = 20.0               # parts lie up to so far off their place, each way: for align
# turn_deg = 8.0                # parts are turned by up to so much, either way
# codes = true                  # a strip of 160 px with a DataMatrix lies to the right of each part: docs/identity.md
# code_trouble_rate = 0.05      # share of codes that are missing, or those of the part before

[challenge]                     # known-bad parts that must be ejected: docs/challenge.md
required = false                # true: nothing passes while a challenge is due
parts = 5
# marks = ["C1", "C2", "C3", "C4", "C5"]   # what is written on them, in the order in which they are laid
every_hours = 8.0               # a passed challenge holds so long
# max_age_h = 10.0              # from every_hours on the page reminds, from this age on nothing passes; absent: at once
# shift_starts = ["06:00", "14:00", "22:00"]   # local times at which a new challenge falls due
on_start = true                 # each start of the station needs a challenge of its own
on_model_change = true          # so do another model bundle and another configuration
timeout_s = 600.0               # time for laying all the parts

[reactions]                     # per fault: warn, reject_all, hold or stop_line, as docs/fail-safe.md allows. Absent:
                                # stop_line where a part may have gone by unrejected and the belt can be stopped (clear
                                # it before Start); `lineward config check` lists these faults
# model_failed = "hold"         # nothing passes until somebody confirms on the page
# view_missing = "stop_line"
rejects_in_a_row_limit = 20     # from here on "rejects in a row" is a fault
run_out_s = 2.0                 # how long the belt takes to stand

[records]
dir = "lineward-data"
# image_format = "jpeg"         # or lossless: "png", "tiff"
# ok_sample = 50                # the image of 1 of so many passed parts is kept, beside those of all rejected ones
# keep_inputs = "rejected"      # whose images also hold what the model got, for `lineward records replay`: "all" whose
#                               # image is kept, "rejected" (what the model did not find good), or "none"
# sign_every_hours = 24.0       # the records are signed that often and when the station ends: docs/records.md
# image_budget_mb = 10000       # disk space of images: beyond it the oldest go, passed parts' first
# [[records.retention]]         # how long images are kept; the first that fits one counts. Records stay, and so does
# verdict = "PASS"              # what `lineward records hold` holds; reason and defect, too, say of which parts
# keep_days = 30.0

# [plant]                       # a copy of records and images; the line never waits for it: docs/plant-copy.md
# postgresql = "postgresql://lineward@db.example/lineward"   # no password here; needs the extra lineward[postgresql]
# schema = "station_1"          # of this station alone; absent: its name
# password_file = "/etc/lineward/database-password"   # or password_env = "LINEWARD_DATABASE_PASSWORD"
# images = "s3://inspection/line-3"   # needs the extra lineward[s3]; or "file:///mnt/share/line-3", or fsspec's others
# endpoint = "https://s3.example:9000"   # of an S3 that is not Amazon's; region = "us-east-1"
# ca_file = "plant-ca.pem"      # who signed its certificate, where the system does not know them
# secret_file = "/etc/lineward/s3"    # key id in its first line, secret in the next; absent: from the environment,
#                               # key_env = "AWS_ACCESS_KEY_ID", secret_env = "AWS_SECRET_ACCESS_KEY"
# timeout_s = 10.0              # no answer by then, and the connection is made anew
# alarm_after_s = 60.0          # how long copies may wait before somebody is told

[plc]                           # a PLC that reads each result over Modbus; docs/plc.md has the map
enabled = false                 # needs the extra lineward[plc]
# transport = "tcp"             # or "rtu", over a serial port
# address = "127.0.0.1:1502"    # tcp; Modbus knows no password: keep it to the machine network
# port = "/dev/serial/by-id/…"  # rtu, with baud = 19200, parity = "E", stop_bits = 1, unit_id = 1
# plc_timeout_ms = 2000.0       # a PLC whose heartbeat stands still for so long is silent
# silence = "block"             # then nothing passes; or "warn": the operator is told
# inspect_window_ms = 3000.0    # a result not shown so long after its trigger is a Fail; absent: travel time + 2 s
# commands = true               # the PLC may start and stop the line

[api]
address = "127.0.0.1:50051"     # another than loopback needs TLS and tokens: docs/security.md
# tls_certificate = "tls/server.pem"   # what `lineward certificate make` or your PKI made; new files need no restart
# tls_key = "tls/server.key"
# client_ca = "tls/ca.pem"      # with it every client needs a certificate; its common name must be in tokens
# tokens = "access.json"        # who may call and as what: `lineward token add NAME --role ROLE`; absent: no login
# reads_per_s = 1000.0          # per caller, twice as many at once; commands_per_s = 50.0 for what changes something
# streams_per_client = 40       # open at a time

[page]
port = 8080
# language = "ko"               # or "en": in which it begins; absent: what the browser asks for

[metrics]                       # for Prometheus: docs/observability.md
enabled = false
address = "127.0.0.1:9464"      # http://127.0.0.1:9464/metrics; 0: any free port
# allow_network = true          # needed for an address that is not loopback: there is no login, anybody there may read

[telemetry]                     # traces of single parts, to a collector that speaks OTLP over gRPC
enabled = false                 # needs the extra lineward[telemetry]
endpoint = "http://127.0.0.1:4317"   # https:// for TLS
sample_ratio = 0.01             # share of the parts that are traced
always_rejects = true           # beside every rejected one
# queue_capacity = 2048         # parts that may wait for the collector; one more has no trace
# timeout_s = 5.0               # how long the collector may take for a batch

[log]
level = "info"                  # debug has a line for each part; also "warning", "error"
format = "text"                 # or "json": one object a line
# file = "lineward-log/station.log"   # absent: stderr
# total_mb = 50.0               # of the file and those before it together, spread over this many files
# files = 5
"""
