#include "frame.hpp"

#include <cstring>

namespace lineward {

std::uint16_t crc16(const std::uint8_t* data, std::size_t size) {
    std::uint16_t crc = 0xFFFF;
    for (std::size_t i = 0; i < size; ++i) {
        crc = static_cast<std::uint16_t>(crc ^ (data[i] << 8));
        for (int bit = 0; bit < 8; ++bit)
            crc = static_cast<std::uint16_t>((crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    return crc;
}

std::size_t encode_frame(const Frame& frame, std::uint8_t* out) {
    std::uint8_t body[kMaxBody];
    body[0] = frame.type;
    body[1] = frame.sequence;
    std::memcpy(body + 2, frame.payload, frame.size);
    const std::uint16_t crc = crc16(body, frame.size + 2);
    body[frame.size + 2] = static_cast<std::uint8_t>(crc);
    body[frame.size + 3] = static_cast<std::uint8_t>(crc >> 8);

    std::size_t code_at = 0, length = 1;
    std::uint8_t code = 1;
    for (std::size_t i = 0; i < frame.size + 4; ++i) {
        if (body[i] != 0) {
            out[length++] = body[i];
            ++code;
        } else {
            out[code_at] = code;
            code_at = length++;
            code = 1;
        }
    }
    out[code_at] = code;
    out[length++] = 0;
    return length;
}

bool FrameReader::feed(std::uint8_t byte) {
    if (byte != 0) {
        if (size_ < kMaxFrame - 1)
            pending_[size_++] = byte;
        else
            too_long_ = true;
        return false;
    }
    const bool empty = size_ == 0;  // two zeros in a row: a sender that clears the line
    const bool valid = !empty && !too_long_ && decode();
    if (!empty && !valid) ++bad_frames_;
    reset();
    return valid;
}

void FrameReader::reset() {
    size_ = 0;
    too_long_ = false;
}

bool FrameReader::decode() {
    std::uint8_t body[kMaxFrame];
    std::size_t length = 0;
    for (std::size_t i = 0; i < size_;) {
        const std::size_t code = pending_[i];  // never zero: zeros end the stretch
        if (i + code > size_) return false;
        for (std::size_t k = 1; k < code; ++k) body[length++] = pending_[i + k];
        i += code;
        if (i < size_ && code != 0xFF) body[length++] = 0;
    }
    if (length < kMinBody || length > kMaxBody) return false;
    const std::uint16_t told = static_cast<std::uint16_t>(body[length - 2] | (body[length - 1] << 8));
    if (crc16(body, length - 2) != told) return false;
    frame_.type = body[0];
    frame_.sequence = body[1];
    frame_.size = length - kMinBody;
    std::memcpy(frame_.payload, body + 2, frame_.size);
    return true;
}

}  // namespace lineward
