// The dialogue machine under random events: whatever client, raw ftpd and shell do, in whatever order, what must never happen
// does not.
#include "fuzz/dialogue_model.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    safetp::fuzz::Bytes bytes(safetp::fuzz::as_text(data, size));
    safetp::fuzz::DialogueModel(bytes).run();
    return 0;
}
