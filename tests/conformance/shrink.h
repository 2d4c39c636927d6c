// Makes an exam that shows a difference as small as it stays one.
#pragma once

#include "generator.h"

#include <functional>

namespace safetp::conformance {

/// `differs` is asked of smaller and smaller exams, whose last question is the one at issue; it is true of the first.
Exam shrink(Exam exam, const std::function<bool(const Exam&)>& differs);

} // namespace safetp::conformance
