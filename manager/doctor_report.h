#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/result.h"

namespace hpc {

enum class Health : std::uint8_t {
  kOk,
  kNote,     // nothing is broken, but somebody may want to know
  kProblem,  // with what to do
};

/// One thing that `doctor` has looked at.
struct DoctorFinding {
  std::string step;  // "host key", at most 14 characters
  Health health = Health::kOk;
  std::string text;  // what was seen, and what to do; may have several lines
};

/// What `doctor` says: a line a step as it goes, or everything as JSON at its end. Pure.
class DoctorReport {
 public:
  using Say = std::function<void(const std::string& text)>;
  /// `say` gets whole lines for people, each as soon as it is known; empty: nothing is said.
  explicit DoctorReport(Say say) : say_(std::move(say)) {}

  void ok(const std::string& step, const std::string& text) { add(step, Health::kOk, text); }
  void note(const std::string& step, const std::string& text) { add(step, Health::kNote, text); }
  /// `code` of the first problem decides the exit code.
  void problem(const std::string& step, Errc code, const std::string& text);

  const std::vector<DoctorFinding>& findings() const { return findings_; }
  bool healthy() const { return code_ == 0; }
  /// Contract 1: 0 without problems.
  int code() const { return code_; }
  /// {"cluster","user","ok":bool,"steps":[{"step","state":"ok|note|problem","text"}]}, one line.
  std::string json(const std::string& cluster, const std::string& user) const;

 private:
  void add(const std::string& step, Health health, const std::string& text);

  Say say_;
  std::vector<DoctorFinding> findings_;
  int code_ = 0;
};

}  // namespace hpc
