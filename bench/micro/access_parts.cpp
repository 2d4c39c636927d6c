#include "block_list.h"
#include "part.h"

#include <memory>
#include <stdexcept>

namespace safetp::bench {

namespace {

std::function<void()> prepare_decision()
{
    const auto image = std::make_shared<std::vector<std::byte>>(compile(block_list(kManyRules), access::Reading::safe));
    const auto tables = std::make_shared<access::Tables>(access::Tables::open(*image).value());
    return [image, tables] {
        measured([&] {
            if (decide(*tables, "10.9.9.9") != access::Outcome::denied)
                throw std::runtime_error("the verdict is wrong");
        });
    };
}

} // namespace

std::vector<Part> access_parts() { return {{"a decision among a million rules", prepare_decision}}; }

} // namespace safetp::bench
