// Where the belt is: the encoder's count and, for the actuator's lead, how fast it has been lately.
#pragma once

#include <cstdint>

namespace lineward {

class Belt {
public:
    void start(std::uint64_t now_us) {
        count_ = 0;
        used_ = 1;
        at_[0] = {now_us, 0};
    }

    void observe(std::uint64_t now_us, std::int64_t count) {
        count_ = count;
        const Sample& last = at_[(used_ - 1) % kSamples];
        if (now_us - last.us >= kStepUs) at_[used_++ % kSamples] = {now_us, count};
    }

    std::int64_t count() const { return count_; }

    // Return the counts that the belt will do in `lead_us` at the speed of the last 16…32 ms.
    std::int64_t ahead(std::uint64_t now_us, std::uint32_t lead_us) const {
        if (lead_us == 0) return 0;
        const std::uint32_t known = used_ < kSamples ? used_ : kSamples;
        Sample from = at_[(used_ - 1) % kSamples];
        for (std::uint32_t back = 1; back <= known; ++back) {
            from = at_[(used_ - back) % kSamples];
            if (now_us - from.us >= kSpanUs) break;
        }
        if (now_us <= from.us) return 0;
        const std::int64_t ahead = (count_ - from.count) * static_cast<std::int64_t>(lead_us) /
                                   static_cast<std::int64_t>(now_us - from.us);
        return ahead > 0 ? ahead : 0;
    }

private:
    static constexpr std::uint32_t kSamples = 16;  // a power of two: the index runs on
    static constexpr std::uint64_t kStepUs = 2000;
    static constexpr std::uint64_t kSpanUs = 16000;
    struct Sample {
        std::uint64_t us = 0;
        std::int64_t count = 0;
    };
    Sample at_[kSamples];
    std::uint32_t used_ = 1;
    std::int64_t count_ = 0;
};

}  // namespace lineward
