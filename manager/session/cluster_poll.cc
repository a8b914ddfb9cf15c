#include "manager/session/cluster_poll.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "common/hello.h"
#include "common/text_line.h"
#include "manager/session/login_exec.h"
#include "manager/session/session_key.h"
#include "manager/slurm/job_fate.h"

namespace hpc {

namespace {

/// May the job be this user's? Names that a site writes in another way than the login has them (a
/// domain behind them, a number for want of a name) cannot be compared.
bool may_be_owner(const std::string& listed, const std::string& user) {
  const bool number = listed.find_first_not_of("0123456789") == std::string::npos;
  return number || !is_session_name(listed) || listed == user;
}

/// One of SLURM's reasons as they are, and no sentence.
bool is_one_word(const std::string& text) {
  constexpr std::size_t kWordBytesMax = 64;
  return text.size() <= kWordBytesMax && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_';
         });
}

}  // namespace

ClusterPoll::ClusterPoll(Parts parts, std::string cluster,
                         std::function<std::uint64_t()> poll_min_ms)
    : parts_(std::move(parts)),
      cluster_(std::move(cluster)),
      poll_min_ms_(std::move(poll_min_ms)),
      alarm_(parts_.scheduler.make_alarm([this] { on_alarm(); })) {}

ClusterPoll::~ClusterPoll() = default;

// ---------------------------------------------------------------------------------------- watchers

void ClusterPoll::watch(JobPoller::Watcher& watcher, JobPoller::Watched job) {
  const auto now_ms = parts_.scheduler.now_ms();
  auto found = std::find_if(seats_.begin(), seats_.end(),
                            [&](const Seat& seat) { return seat.watcher == &watcher; });
  if (found != seats_.end() && found->job.job == job.job && found->job.user == job.user) {
    if (found->job.urgency == job.urgency) return;
    found->job.urgency = job.urgency;
    found->since_ms = now_ms;
  } else {
    if (found != seats_.end()) seats_.erase(found);
    Seat seat{};
    seat.watcher = &watcher;
    seat.job = std::move(job);
    seat.number = next_number_++;
    seat.since_ms = now_ms;
    found = seats_.insert(seats_.end(), std::move(seat));
  }
  ticks_.quiet = 0;
  hurry(wait_for({&*found, 1}));
}

void ClusterPoll::unwatch(JobPoller::Watcher& watcher) {
  std::erase_if(seats_, [&](const Seat& seat) { return seat.watcher == &watcher; });
}

ClusterPoll::Seat* ClusterPoll::find(std::uint64_t number) {
  const auto found = std::find_if(seats_.begin(), seats_.end(),
                                  [number](const Seat& seat) { return seat.number == number; });
  return found == seats_.end() ? nullptr : &*found;
}

// Sessions that attach may follow what is no job of SLURM's.
bool ClusterPoll::can_be_asked(const Seat& seat) const { return is_slurm_job_id(seat.job.job); }

// ------------------------------------------------------------------------------------------ logins

bool ClusterPoll::login_is_up(const std::string& user) const {
  const ClusterLogin* const login = parts_.logins.find(user, cluster_);
  return login != nullptr && login->state() == ClusterLogin::State::kUp;
}

bool ClusterPoll::asks_per_user() const {
  return per_user_until_ms_ && parts_.scheduler.now_ms() < *per_user_until_ms_;
}

/// Those of users whose login is up.
std::map<std::string, ClusterPoll::Seats> ClusterPoll::by_user(const Seats& seats) const {
  const std::set<std::uint64_t> wanted(seats.begin(), seats.end());
  std::map<std::string, Seats> out;
  for (const auto& seat : seats_) {
    if (wanted.contains(seat.number)) out[seat.job.user].push_back(seat.number);
  }
  std::erase_if(out, [this](const auto& one) { return !login_is_up(one.first); });
  return out;
}

/// The one that answered last; else the one whose last failure is the longest ago.
std::optional<std::string> ClusterPoll::login_for(const std::map<std::string, Seats>& users) const {
  if (users.contains(answered_last_) && !failed_.contains(answered_last_)) return answered_last_;
  const auto failed_at = [this](const std::string& user) {
    const auto found = failed_.find(user);
    return found == failed_.end() ? 0 : found->second;
  };
  const auto best = std::min_element(users.begin(), users.end(), [&](const auto& a, const auto& b) {
    return failed_at(a.first) < failed_at(b.first);
  });
  if (best == users.end()) return std::nullopt;
  return best->first;
}

// ------------------------------------------------------------------------------------------- ticks

void ClusterPoll::on_alarm() {
  due_ms_.reset();
  Seats seats;
  for (const auto& seat : seats_) {
    if (can_be_asked(seat)) seats.push_back(seat.number);
  }
  if (!seats.empty()) begin_tick(seats);
}

void ClusterPoll::begin_tick(const Seats& seats) {
  const auto users = by_user(seats);
  // Looking again whether a login is up asks nobody anything.
  if (users.empty()) return plan(kPollFastMs);
  ticking_ = true;
  learned_ = changed_ = false;
  begun_ms_ = parts_.scheduler.now_ms();
  for (auto& seat : seats_) seat.asked = true;
  if (asks_per_user()) {
    for (const auto& [user, own] : users) add_questions(user, own);
  } else {
    add_questions(*login_for(users), seats);
  }
  ask_next();
}

void ClusterPoll::add_questions(const std::string& user, const Seats& seats) {
  for (std::size_t from = 0; from < seats.size(); from += kListedJobsMax) {
    const auto size = std::min(kListedJobsMax, seats.size() - from);
    const auto* const first = seats.data() + from;
    waiting_.push_back({user, Seats(first, first + size)});
  }
}

void ClusterPoll::ask_next() {
  while (running_.size() < kPollQuestionsAtOnce && !waiting_.empty()) {
    const Question question = std::move(waiting_.front());
    waiting_.pop_front();
    // A login that has gone down meanwhile is not woken.
    if (login_is_up(question.user)) ask(question);
  }
  if (running_.empty()) end_tick();
}

void ClusterPoll::ask(const Question& question) {
  std::set<std::string> jobs;
  for (const auto number : question.seats) {
    if (const Seat* seat = find(number)) jobs.insert(seat->job.job);
  }
  if (jobs.empty()) return;
  const std::vector<std::string> list(jobs.begin(), jobs.end());
  const auto number = next_number_++;
  const auto marker = random_hex64();
  running_[number] = login_exec(parts_.scheduler, parts_.logins, question.user, cluster_, "sh -s",
                                job_listing_script(list, marker), kPollTimeoutMs,
                                [this, number, question, marker](const auto& output) {
                                  on_answer(number, question, output, marker);
                                });
}

void ClusterPoll::on_answer(std::uint64_t number, const Question& question,
                            const Result<ExecOutput>& output, const std::string& marker) {
  running_.erase(number);
  JobListing listing;
  if (output) {
    listing = parse_job_listing(output->out, marker);
  } else {
    listing.trouble = first_line(output.error().detail);
  }
  if (listing.answered) {
    failed_.erase(question.user);
    answered_last_ = question.user;
    take_listing(question, listing);
  } else {
    failed_[question.user] = number;
    take_failure(question, listing.trouble);
  }
  ask_next();
}

void ClusterPoll::end_tick() {
  ticking_ = false;
  ticks_.failed = learned_ ? 0 : ticks_.failed + 1;
  ticks_.quiet = changed_ ? 0 : ticks_.quiet + 1;
  plan(wait_for(seats_));
}

// -------------------------------------------------------------------------------------------- news
// Watchers may watch and unwatch, each other too, so a seat is looked up anew for each and is not
// touched once its watcher has been told.

void ClusterPoll::take_failure(const Question& question, const std::string& why) {
  parts_.log.debug("a question about jobs failed",
                   {{"cluster", cluster_}, {"user", question.user}, {"why", why}});
  for (const auto number : question.seats) {
    Seat* const seat = find(number);
    if (seat == nullptr || ++seat->failures % kPollFailuresShown != 0) continue;
    // What another user's shell printed is not for this one to read.
    const bool own = seat->job.user == question.user;
    seat->watcher->on_job_unknown(own ? why : "it could not be asked");
  }
}

void ClusterPoll::take_listing(const Question& question, const JobListing& listing) {
  learned_ = true;
  std::map<std::string_view, const ListedJob*> listed;
  for (const auto& job : listing.jobs) listed.emplace(job.id, &job);
  Seats missing;
  for (const auto number : question.seats) {
    Seat* const seat = find(number);
    if (seat == nullptr) continue;
    const bool by_owner = seat->job.user == question.user;
    const auto found = listed.find(seat->job.job);
    if (found != listed.end() && may_be_owner(found->second->user, seat->job.user)) {
      tell_listed(*seat, *found->second, by_owner);
    } else if (by_owner) {
      tell_unlisted(*seat);
    } else {
      missing.push_back(number);
    }
  }
  ask_owners(missing);
}

void ClusterPoll::tell_listed(Seat& seat, const ListedJob& job, bool by_owner) {
  if (std::exchange(seat.missed, false) && by_owner) ask_per_user_from_now();
  if (!seat.listed || seat.state != job.state || seat.nodes != job.nodes) changed_ = true;
  seat.listed = true;
  seat.failures = 0;
  seat.state = job.state;
  seat.nodes = job.nodes;
  seat.starts_at = job.starts_at;
  ListedJob told = job;
  if (!by_owner && !is_one_word(told.reason)) told.reason.clear();
  seat.watcher->on_job_listed(told);
}

void ClusterPoll::tell_unlisted(Seat& seat) {
  if (std::exchange(seat.listed, false)) changed_ = true;
  seat.missed = false;
  seat.failures = 0;
  seat.starts_at.reset();
  seat.watcher->on_job_unlisted();
}

/// In this tick. Without their own login nothing is known of them.
void ClusterPoll::ask_owners(const Seats& seats) {
  for (const auto& [user, own] : by_user(seats)) {
    for (const auto number : own) find(number)->missed = true;
    add_questions(user, own);
  }
}

void ClusterPoll::ask_per_user_from_now() {
  if (asks_per_user()) return;
  per_user_until_ms_ = parts_.scheduler.now_ms() + kPollPerUserMs;
  if (std::exchange(said_per_user_, true)) return;
  parts_.log.info("squeue does not show every user all jobs; each user is asked for his own",
                  {{"cluster", cluster_}});
}

// -------------------------------------------------------------------------------------------- time

std::uint64_t ClusterPoll::wait_for(std::span<const Seat> seats) const {
  std::vector<PolledJob> jobs;
  for (const auto& seat : seats) {
    if (!can_be_asked(seat)) continue;
    PolledJob job{seat.job.urgency, parts_.scheduler.now_ms() - seat.since_ms, seat.asked, {}};
    if (seat.starts_at) job.starts_in_ms = *seat.starts_at - parts_.now();
    jobs.push_back(job);
  }
  return poll_wait_ms(jobs, ticks_);
}

/// Sooner than planned, if it is.
void ClusterPoll::hurry(std::uint64_t wait_ms) {
  if (ticking_ || (due_ms_ && *due_ms_ <= parts_.scheduler.now_ms() + wait_ms)) return;
  plan(wait_ms);
}

void ClusterPoll::plan(std::uint64_t wait_ms) {
  const auto now_ms = parts_.scheduler.now_ms();
  due_ms_ = now_ms + wait_ms;
  if (begun_ms_) due_ms_ = std::max(*due_ms_, *begun_ms_ + poll_min_ms_());
  alarm_->start(*due_ms_ - now_ms);
}

}  // namespace hpc
