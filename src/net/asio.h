// The part of Asio that SafeTP uses, under our names: one thread, one io_context, concrete executor types, errors as values.
#pragma once

#include <asio/awaitable.hpp>
#include <asio/basic_waitable_timer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <system_error>

namespace safetp::net {

using Executor = asio::io_context::executor_type;

template <typename T = void>
using Task = asio::awaitable<T, Executor>;

using Clock = std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;
using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

/// co_await operation(into(failure)): nothing is thrown; `failure` must live until the operation has ended.
inline auto into(std::error_code& failure) { return asio::redirect_error(asio::use_awaitable_t<Executor>{}, failure); }

} // namespace safetp::net
