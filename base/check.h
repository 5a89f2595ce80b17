// CHECK states an invariant and stays on in release builds: when it does not hold, the process
// prints where, what and the values, and traps. A broken invariant is a bug, never bad input: bad
// input is an Error.
#pragma once

#include <string_view>

#include <fmt/format.h>

namespace penstock::detail {

[[noreturn]] void check_failed(const char* file, int line, const char* expression,
                               std::string_view values);

// Out of line and cold, so that a CHECK costs its caller one compare and one predicted branch.
template <class A, class B>
[[noreturn, gnu::cold, gnu::noinline]] void check_op_failed(const char* file, int line,
                                                            const char* expression, const A& a,
                                                            const B& b) {
  check_failed(file, line, expression, fmt::format("{} vs {}", a, b));
}

}  // namespace penstock::detail

#define CHECK(condition)                                                    \
  do {                                                                      \
    if (!(condition)) [[unlikely]]                                          \
      ::penstock::detail::check_failed(__FILE__, __LINE__, #condition, {}); \
  } while (false)

#define PENSTOCK_CHECK_OP(a, op, b)                                                       \
  do {                                                                                    \
    const auto& check_a = (a);                                                            \
    const auto& check_b = (b);                                                            \
    if (!(check_a op check_b)) [[unlikely]]                                               \
      ::penstock::detail::check_op_failed(__FILE__, __LINE__, #a " " #op " " #b, check_a, \
                                          check_b);                                       \
  } while (false)

// Operands are evaluated once.
#define CHECK_EQ(a, b) PENSTOCK_CHECK_OP(a, ==, b)
#define CHECK_NE(a, b) PENSTOCK_CHECK_OP(a, !=, b)
#define CHECK_LE(a, b) PENSTOCK_CHECK_OP(a, <=, b)
#define CHECK_LT(a, b) PENSTOCK_CHECK_OP(a, <, b)
#define CHECK_GE(a, b) PENSTOCK_CHECK_OP(a, >=, b)
#define CHECK_GT(a, b) PENSTOCK_CHECK_OP(a, >, b)
