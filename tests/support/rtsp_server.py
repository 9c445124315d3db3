"""A real RTSP server (GStreamer's) whose pictures show their number; run by the system's Python, outside of ours.

Each picture of 64 × 48 shows its number, counted from 1, as 16 bars, the lowest bit on the left: white is 1. Streams:
h264, mjpeg; gaps: two pictures after each tenth are never sent; lossy: one RTP packet in 50 is dropped; resize: twice
as large from picture 61 on. usage: rtsp_server.py PORT [USER PASSWORD]. Tells the number of each 15th picture.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

WIDTH, HEIGHT, RATE = 64, 48, 60
CAPS = "video/x-raw,format=I420,width={},height={},framerate=60/1"
SOURCE = f"appsrc name=source is-live=true format=time caps={CAPS.format(WIDTH, HEIGHT)} ! identity sync=true"
H264 = (
    f"( {SOURCE} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 bitrate=2000 ! "
    "rtph264pay name=pay0 pt=96 config-interval=-1 )"
)
MJPEG = f"( {SOURCE} ! jpegenc quality=90 ! rtpjpegpay name=pay0 pt=26 )"


def picture(number: int, scale: int) -> bytes:
    bar = WIDTH // 16 * scale
    row = b"".join((b"\xeb" if number >> bit & 1 else b"\x10") * bar for bit in range(16))
    return row * (HEIGHT * scale) + b"\x80" * (WIDTH * HEIGHT * scale * scale // 2)


def feed(kind: str, media: Any) -> None:
    source = media.get_element().get_by_name("source")
    made = 0

    def on_need(source: Any, length: int) -> None:
        nonlocal made
        del length
        made += 1
        if kind == "gaps" and made % 12 == 11:
            made += 2
        scale = 2 if kind == "resize" and made > 60 else 1
        if kind == "resize" and made == 61:
            source.set_property("caps", Gst.Caps.from_string(CAPS.format(2 * WIDTH, 2 * HEIGHT)))
        buffer = Gst.Buffer.new_wrapped(picture(made, scale))
        buffer.pts = buffer.dts = (made - 1) * Gst.SECOND // RATE
        buffer.duration = Gst.SECOND // RATE
        source.emit("push-buffer", buffer)
        if made % 15 == 0:
            print("made", made, flush=True)

    source.connect("need-data", on_need)
    if kind == "lossy":
        dice = random.Random(7)
        pad = media.get_element().get_by_name("pay0").get_static_pad("src")
        kinds = Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST
        drop, keep = Gst.PadProbeReturn.DROP, Gst.PadProbeReturn.OK
        pad.add_probe(kinds, lambda pad, info: drop if dice.random() < 0.02 else keep)


def main(port: str, user: str = "", password: str = "") -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    launches = {"h264": H264, "mjpeg": MJPEG, "gaps": H264, "lossy": H264, "resize": MJPEG}
    for kind, launch in launches.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(launch)
        factory.connect("media-configure", lambda factory, media, kind=kind: feed(kind, media))
        if user:
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_permission_for_role("viewer", "media.factory.access", True)
            permissions.add_permission_for_role("viewer", "media.factory.construct", True)
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory(f"/{kind}", factory)
    if user:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        server.set_auth(auth)
    if not server.attach(None):
        sys.exit(f"port {port} is taken")
    print("ready", flush=True)
    GLib.MainLoop().run()


main(*sys.argv[1:])
