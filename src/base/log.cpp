#include "base/log.h"
namespace safetp::log {}
