# The release flags are the usual hardening ones of a network daemon. Warnings are errors where we build (the scripts set
# CMAKE_COMPILE_WARNING_AS_ERROR) and not where others do: a newer compiler or library must not stop them.
add_library(safetp_options INTERFACE)
target_compile_options(safetp_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor
  -fstack-protector-strong -fstack-clash-protection -fcf-protection)
target_compile_definitions(safetp_options INTERFACE _GLIBCXX_ASSERTIONS)
target_include_directories(safetp_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_link_options(safetp_options INTERFACE -Wl,-z,relro,-z,now)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported()
string(APPEND CMAKE_CXX_FLAGS_RELEASE " -O2 -g1") # enough for backtraces, and a fifth less to build than -g
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # Clang warns of what GCC's own <algorithm> uses inside std::ranges::stable_sort.
  target_compile_options(safetp_options INTERFACE -Wno-deprecated-declarations)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Where GCC inlines one of them only it takes Asio's own pair of allocation functions for a mismatch.
  target_compile_options(safetp_options INTERFACE -Wno-mismatched-new-delete)
endif()

if(SAFETP_SANITIZE)
  target_compile_options(safetp_options INTERFACE -fsanitize=${SAFETP_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(safetp_options INTERFACE -fsanitize=${SAFETP_SANITIZE})
  target_compile_definitions(safetp_options INTERFACE SAFETP_SANITIZED=1)
else()
  target_compile_options(safetp_options INTERFACE $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=3>)
endif()

# safetp_precompile(TARGET HEADERS...): what most files include, and HEADERS, are read once for all files of TARGET, which
# halves the time that it takes to build. Off by default: a file must include what it uses.
function(safetp_precompile target)
  if(SAFETP_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE <algorithm> <array> <chrono> <cstring> <expected> <functional> <map>
      <memory> <optional> <set> <span> <string> <string_view> <variant> <vector> <fmt/format.h> ${ARGN})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU") # GCC 12 forgets that these are the system's, and warns of what it inlines from them
      target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow)
    endif()
  endif()
endfunction()

# safetp_module(NAME SOURCES ... [DEPENDS ...] [PRIVATE_DEPENDS ...] [PRECOMPILED ...] [FUZZED]): the static library safetp_NAME from the
# files of this folder.
function(safetp_module name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "FUZZED" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS;PRECOMPILED")
  add_library(safetp_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(safetp_${name} PUBLIC safetp_options ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE_DEPENDS})
  safetp_precompile(safetp_${name} ${ARG_PRECOMPILED})
  if(SAFETP_FUZZ AND ARG_FUZZED) # else the fuzzers are blind
    target_compile_options(safetp_${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()
