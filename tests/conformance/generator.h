// Tables and connections by chance, from a grammar that knows what matters: few values, so that rules match, and every odd
// spelling that the library reads in a way of its own. The same seed gives the same scenes.
#pragma once

#include "case.h"

#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

namespace safetp::conformance {

struct Exam {
    Scene scene;
    std::vector<Question> questions;
};

/// Where chance comes from.
class Dice {
public:
    explicit Dice(std::uint64_t seed) : engine_(seed) { }

    unsigned below(unsigned limit) { return static_cast<unsigned>(engine_() % limit); }
    bool percent(unsigned chance) { return below(100) < chance; }
    std::string one_of(std::initializer_list<const char*> texts)
    {
        return texts.begin()[below(static_cast<unsigned>(texts.size()))];
    }
    std::string one_of(const std::vector<std::string>& texts) { return texts[below(static_cast<unsigned>(texts.size()))]; }

private:
    std::mt19937_64 engine_;
};

class Generator {
public:
    explicit Generator(std::uint64_t seed) : dice_(seed) { }

    /// A few rules of every kind.
    Exam small_exam();
    /// Hundreds of rules, nearly all of addresses: what the compiled index is for.
    Exam large_exam();

private:
    std::string address();
    std::string name();
    std::string host_pattern();
    std::string net_pattern();
    std::string name_pattern();
    std::string client_pattern();
    std::string daemon_pattern();
    std::string list(std::string (Generator::*pattern)());
    std::string option();
    std::string option_value(const std::string& key);
    std::string expansions();
    std::string options();
    std::string rule();
    std::string line();
    std::string table();
    std::string address_rule();
    std::string large_table(unsigned rules);
    std::string with_glob(std::string text);
    std::string mutated(std::string text);
    std::string long_line();
    void add_files(Scene& scene);
    void set_kind(std::string& text, TableKind& kind);
    Question question();

    Dice dice_;
};

} // namespace safetp::conformance
