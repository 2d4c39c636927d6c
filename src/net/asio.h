// The part of Asio that SafeTP uses, under our names: one thread, one io_context, concrete executor types, errors as values.
#pragma once

#include <asio/awaitable.hpp>
#include <asio/basic_waitable_timer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>

namespace safetp::net {

using Executor = asio::io_context::executor_type;

template <typename T = void>
using Task = asio::awaitable<T, Executor>;

using Clock = std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;
using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

/// co_await operation(kAsTuple): the error code comes first in a tuple, nothing is thrown.
inline constexpr asio::experimental::as_tuple_t<asio::use_awaitable_t<Executor>> kAsTuple{asio::use_awaitable_t<Executor>{}};

} // namespace safetp::net
