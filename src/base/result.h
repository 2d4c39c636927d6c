// Result<T>: a value or the Error that stands in its place. Expected failures are values here, never exceptions.
#pragma once

#include "base/error.h"

#include <expected>

namespace safetp {

template <typename T>
using Result = std::expected<T, Error>;

/// `return fail(ErrorCode::x, errno, "what was tried")` from a function that gives a Result.
inline std::unexpected<Error> fail(ErrorCode code, int os_error = 0, std::string context = {})
{
    return std::unexpected(Error{code, os_error, std::move(context)});
}

} // namespace safetp
