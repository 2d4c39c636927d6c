// UTF-8 one code point at a time (RFC 3629), for text that comes from outside and is to be shown. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace safetp {

struct CodePoint {
    char32_t value = 0;
    std::size_t bytes = 1;     ///< length in the text; 1 for a byte that begins no valid sequence
    bool is_valid = false;     ///< false: overlong, a surrogate, above U+10FFFF, cut off, or a stray byte
    bool is_printable = false; ///< valid, and no control: C0, C1, DEL, line separators, bidirectional controls
    /// White space of whatever kind (Unicode's White_Space), or what is shown as a blank or as nothing: it can part or join
    /// words in the eyes of a person or of a program.
    bool is_blank = false;
};

/// `text` must not be empty.
CodePoint next_code_point(std::string_view text);

} // namespace safetp
