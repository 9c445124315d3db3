"""A camera of any vendor, through the GenTL producer (.cti) that the vendor gives."""

from __future__ import annotations

import genicam  # noqa: F401  # the extra that the features are read with; its absence has a hint
from pydantic import Field

from camera.choice import not_one
from camera.device import Device
from camera.errors import CameraOpenError, Cause
from camera.genicam.options import StreamingOptions
from camera.genicam.streaming import StreamingCamera
from camera.gentl.binding import GentlError
from camera.gentl.link import GentlLink, refusal
from camera.gentl.producer import ENVIRONMENT, Producer, Seen, all_devices, claim, devices_of, producer_files, release

__all__ = ["GentlCamera", "Options", "devices"]


class Options(StreamingOptions):
    """Settings of a camera behind a GenTL producer."""

    producer: str = Field(
        default="",
        description=f"the vendor's .cti file, or the folder it is in; absent: those in the folders of {ENVIRONMENT}",
    )


class GentlCamera(StreamingCamera):
    """One device of a GenTL producer; owned by one grabbing thread. The producer receives on threads of its own."""

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name, options)
        self._options = options

    def _connect(self) -> GentlLink:
        options = self._options
        files = producer_files(options.producer)
        if not files:
            raise CameraOpenError(
                f"camera '{self.name}': no GenTL producer is known; name the vendor's .cti file in `producer`, or its "
                f"folder in {ENVIRONMENT}",
                Cause.INSTALLATION,
            )
        seen_by_all: list[Seen] = []
        for file in files:
            producer = claim(file)
            try:
                seen_by_all += devices_of(producer)
                wanted = [one for one in seen_by_all if self._is_wanted(one)]
                if len(wanted) == 1 and wanted[0].producer == file and (options.device or len(files) == 1):
                    return self._linked(producer, wanted[0])
            except GentlError as error:
                release(producer)
                raise CameraOpenError(f"camera '{self.name}': {file}: {error}", Cause.UNKNOWN) from error
            except BaseException:
                release(producer)
                raise
            release(producer)
        raise not_one(self.name, [one.as_device() for one in seen_by_all], options.device)

    def _linked(self, producer: Producer, seen: Seen) -> GentlLink:
        try:
            return GentlLink(producer, seen, self._options)
        except GentlError as error:
            raise refusal(self.name, error, seen) from error

    def _is_wanted(self, seen: Seen) -> bool:
        return not self._options.device or seen.as_device().answers_to(self._options.device)


def devices() -> list[Device]:
    """Return the devices behind the producers in the folders of GENICAM_GENTL64_PATH."""
    return [seen.as_device() for seen in all_devices()]
