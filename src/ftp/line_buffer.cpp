#include "ftp/line_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace safetp::ftp {

std::span<std::byte> LineBuffer::free_space()
{
    if (begin_ > 0) {
        std::copy(bytes_.begin() + static_cast<std::ptrdiff_t>(begin_), bytes_.begin() + static_cast<std::ptrdiff_t>(end_),
            bytes_.begin());
        end_ -= begin_;
        scanned_ -= begin_;
        begin_ = 0;
    }
    // max_line_ is reached only by a line without end, which next() throws away: so there is always room for more.
    if (bytes_.size() < max_line_ + 1)
        bytes_.resize(max_line_ + 1);
    return std::as_writable_bytes(std::span(bytes_).subspan(end_));
}

void LineBuffer::commit(std::size_t bytes) { end_ += bytes; }

void LineBuffer::put(std::string_view bytes)
{
    if (bytes.empty())
        return;
    if (bytes_.size() < end_ + bytes.size())
        bytes_.resize(end_ + bytes.size());
    std::ranges::copy(bytes, bytes_.begin() + static_cast<std::ptrdiff_t>(end_));
    end_ += bytes.size();
}

LineBuffer::Line LineBuffer::next()
{
    const auto from = bytes_.begin() + static_cast<std::ptrdiff_t>(scanned_);
    const auto to = bytes_.begin() + static_cast<std::ptrdiff_t>(end_);
    const auto line_feed = std::find(from, to, '\n');
    if (line_feed == to) {
        scanned_ = end_;
        if (discarding_ || end_ - begin_ >= max_line_) {
            begin_ = end_; // the rest of the over-long line is still to come
            discarding_ = true;
        }
        return {};
    }
    const std::size_t start = begin_;
    std::size_t length = static_cast<std::size_t>(line_feed - bytes_.begin()) - start;
    begin_ = scanned_ = start + length + 1;
    if (std::exchange(discarding_, false) || length + 1 > max_line_)
        return {Line::Kind::too_long, {}};
    if (length > 0 && bytes_[start + length - 1] == '\r')
        --length;
    return {Line::Kind::line, std::string_view(bytes_.data() + start, length)};
}

void LineBuffer::release_if_empty()
{
    if (!is_empty())
        return;
    wipe();
    std::vector<char>().swap(bytes_);
    begin_ = scanned_ = end_ = 0;
}

void LineBuffer::wipe()
{
    if (!bytes_.empty())
        ::explicit_bzero(bytes_.data(), bytes_.size());
}

} // namespace safetp::ftp
