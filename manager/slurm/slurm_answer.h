#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace hpc {

// What the scripts of this folder have in common: their answers are cut into parts by lines that
// begin with the marker, 64 hex digits which nothing on the cluster can know ahead.

// Stands in front of what asks SLURM: users may have filters and formats of their own in their
// environment, which would hide jobs. The language and the time zone are the script's to set.
constexpr std::string_view kSlurmDefaults = R"sh(LC_ALL=C
export LC_ALL
unset SQUEUE_ACCOUNT SQUEUE_ALL SQUEUE_ARRAY SQUEUE_FORMAT SQUEUE_FORMAT2 SQUEUE_LICENSES \
  SQUEUE_NAMES SQUEUE_PARTITION SQUEUE_PRIORITY SQUEUE_QOS SQUEUE_SORT SQUEUE_STATES \
  SQUEUE_USERS
)sh";

/// The text up to a line "MARKER mark", without the line end in front of that line.
struct MarkedPart {
  std::string_view text;
  std::string_view mark;  // what stands behind the marker and a blank
};
/// Takes the next part off `rest`. Nothing where no complete line of the marker follows: the answer
/// is cut. Views into what `rest` views.
std::optional<MarkedPart> next_marked_part(std::string_view& rest, std::string_view marker);

/// What stands between the marks "begin" and "end", where there is no other; nothing: the answer is
/// cut. A view into `output`.
std::optional<std::string_view> marked_text(std::string_view output, std::string_view marker);

/// `text` in one line of at most `most` bytes, each of them printable ASCII: what else there is
/// becomes '?'. Blanks at both ends go.
std::string printable_line(std::string_view text, std::size_t most);

// SLURM's words for people.
constexpr std::size_t kSlurmWordsBytesMax = 300;

/// What a command of SLURM said on its standard error, in one printable line of at most
/// kSlurmWordsBytesMax bytes: without "sbatch: error: " and the like, lines joined by "; ".
std::string slurm_words(std::string_view said);

/// Does `said` mean that SLURM's controller was not asked, or not to the end? What was wanted may
/// have been done, or may be done when asked again.
bool is_slurm_away(std::string_view said);

/// Of a job, or of its array: SLURM does not know such an id.
bool is_unknown_job(std::string_view said);

// A script that does and says nothing, in place of one with a value in it that does not pass.
constexpr std::string_view kNoScript = "exit 64\n";

/// 32 lower-case hex digits: a session's opaque id.
bool is_session_id(std::string_view text);
/// 1 to 64 lower-case hex digits.
bool is_marker(std::string_view text);

}  // namespace hpc
