#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "common/result.h"

namespace hpc {

// Job scripts as text: whether one can be a template, and how what a session brings along is put
// into it. No disk here; job_templates.h reads the files.

/// Where sbatch stops looking for #SBATCH lines: at the first line that is neither blank nor has a
/// '#' as its first byte. The size of `text` when there is no such line.
std::size_t sbatch_head_size(std::string_view text);

/// kConfig, with what is wrong in words that follow a file's name ("has no ..."): no "#!" line of
/// bash or sh, NUL, a line that ends in CR LF; sbatch refuses the latter two.
Status check_template_text(std::string_view text);
/// The same for the shared hpc-proxy.sh, which has no "#!" line: NUL, CR LF, or a line that would
/// end the here-document in which it travels.
Status check_shared_script(std::string_view text);

/// The script for sbatch's stdin: the head of `text`, then lines that set what job_templates.h
/// names and write `shared` beside them, then the rest of `text`. Both texts have passed their
/// checks. kBadRequest: `session` is not 32 hex digits, or `url_template` is no URL with one
/// {port}, or has a byte that could end its quotes.
Result<std::string> compose_job_script(std::string_view text, std::string_view shared,
                                       std::string_view session, std::string_view url_template);

}  // namespace hpc
