// src/http/executor.hpp - the one executor type of all io: an io thread's own context
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

namespace firstcome::http {

namespace asio = boost::asio;

/// Typed, so that no operation pays for a type-erased executor.
using IoExecutor = asio::io_context::executor_type;

template <typename T>
using Awaitable = asio::awaitable<T, IoExecutor>;

}  // namespace firstcome::http
