#include "manager/session/slurm_launcher.h"

#include "common/hello.h"
#include "manager/session/launch_spec.h"
#include "manager/session/login_exec.h"
#include "manager/session/next_turn.h"
#include "manager/session/sessions.h"
#include "manager/slurm/job_fate.h"

namespace hpc {

namespace {

constexpr const char* kWhere = "launch";

std::string name_of(const SessionRow& session) {
  return session_job_name(session.key.ide, session.id);
}

/// The session's job; empty: only its name is known.
std::string job_of(const SessionRow& session) {
  return is_slurm_job_id(session.job_id) ? session.job_id : "";
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "none" : out;
}

/// Why a command for a submit brought no answer. What cannot have run is kUnavailable, but for what
/// will never run; after all else the job may come yet.
Error submit_error(Error error) {
  if (error.code == Errc::kConfig || error.code == Errc::kForbidden) {
    error.code = Errc::kUnavailable;
  }
  return error;
}

Result<std::string> submit_result(const SubmitAnswer& answer, const std::string& cluster) {
  using State = SubmitAnswer::State;
  const auto words = [&](const std::string& otherwise) {
    return answer.words.empty() ? otherwise : answer.words;
  };
  switch (answer.state) {
    case State::kSubmitted:
      return answer.job;
    case State::kRefused:
      return fail(Errc::kBadRequest, kWhere,
                  "SLURM refused the job: " + words("it did not say why"));
    case State::kNoSlurm:
      return fail(Errc::kNotFound, kWhere,
                  "there is no sbatch on " + cluster +
                      ", so the session attaches to an hpc-proxy that runs already");
    case State::kBusy:
      return fail(Errc::kUnavailable, kWhere,
                  "SLURM could not take the job: " + words("it did not answer in time"));
    case State::kUnknown:
      break;
  }
  return fail(Errc::kSlurm, kWhere,
              words("sbatch has given no answer") + "; looking whether the job is there");
}

}  // namespace

/// The account's name first, where nobody has named one; then sbatch.
class SlurmLauncher::Submit final : public Pending {
 public:
  Submit(SlurmLauncher& owner, SessionRow session, Prepared prepared, SubmitDone done)
      : owner_(owner),
        session_(std::move(session)),
        prepared_(std::move(prepared)),
        done_(std::move(done)) {
    if (!prepared_.job.request.account.empty()) {
      run();
    } else {
      step_ = owner_.account_of(session_).ask(
          [this](std::string script, ExecDone answered) {
            return owner_.ask(session_, std::move(script), kAccountTimeoutMs, std::move(answered));
          },
          [this](const AccountAnswer& answer) {
            prepared_.job.request.account = answer.account;
            run();
          });
    }
  }

 private:
  void run() {
    marker_ = random_hex64();
    auto command = submit_command(prepared_.job, marker_);
    if (!command) {
      step_ = std::make_unique<NextTurn>(
          owner_.scheduler_, [this, why = command.error()] { finish(tl::unexpected(why)); });
      return;
    }
    step_ = login_exec(owner_.scheduler_, owner_.logins_, session_.key.user, session_.key.cluster,
                       std::move(*command), std::move(prepared_.script), kSubmitTimeoutMs,
                       [this](const Result<ExecOutput>& output) {
                         if (!output) return finish(tl::unexpected(submit_error(output.error())));
                         const auto answer = parse_submit(output->out, marker_);
                         const auto result = submit_result(answer, session_.key.cluster);
                         if (answer.state == SubmitAnswer::State::kRefused) return clean(result);
                         finish(result);
                       });
  }

  // The session's directory was made for the job that is none. Whether that can be removed just now
  // changes nothing: SLURM's words are what the user waits for.
  void clean(const Result<std::string>& job) {
    step_ =
        owner_.ask(session_, end_job_script("", prepared_.job.name, session_.id, random_hex64()),
                   kEndJobTimeoutMs, [this, job](const auto&) { finish(job); });
  }

  // The last step: `done` may destroy this.
  void finish(const Result<std::string>& job) {
    const auto done = std::exchange(done_, nullptr);
    done(job);
  }

  SlurmLauncher& owner_;
  SessionRow session_;
  Prepared prepared_;
  SubmitDone done_;
  std::string marker_;
  std::unique_ptr<Pending> step_;
};

SlurmLauncher::SlurmLauncher(Scheduler& scheduler, ClusterLogins& logins, Options options)
    : scheduler_(scheduler), logins_(logins), options_(std::move(options)) {}

SlurmLauncher::~SlurmLauncher() = default;

Status SlurmLauncher::can_launch(const std::string& ide) const {
  if (options_.templates.has(ide)) return {};
  return fail(Errc::kNotFound, kWhere,
              "there is no job template '" + ide +
                  "'; there are: " + joined(options_.templates.names()) +
                  ". To use an hpc-proxy that runs already, ask for \"attach\"");
}

Result<SlurmLauncher::Prepared> SlurmLauncher::prepare(const SessionRow& session) const {
  auto spec = parse_launch_spec(session.spec);
  if (!spec) return tl::unexpected(spec.error());
  auto script = options_.templates.script(
      {session.key.ide, session.id, options_.base_url + path_of(session.key) + "/port/{port}/"});
  if (!script) return tl::unexpected(script.error());
  return Prepared{{session.id, name_of(session), std::move(spec->job)}, std::move(*script)};
}

std::unique_ptr<Pending> SlurmLauncher::submit(const SessionRow& session, SubmitDone done) {
  auto prepared = prepare(session);
  if (prepared) {
    return std::make_unique<Submit>(*this, session, std::move(*prepared), std::move(done));
  }
  return std::make_unique<NextTurn>(
      scheduler_, [why = prepared.error(), done = std::move(done)] { done(tl::unexpected(why)); });
}

DefaultAccount& SlurmLauncher::account_of(const SessionRow& session) {
  auto& account = accounts_[{session.key.user, session.key.cluster}];
  // The name of the login is the session's user (user_identity.h).
  if (account == nullptr) {
    account = std::make_unique<DefaultAccount>(scheduler_, session.key.user);
  }
  return *account;
}

std::unique_ptr<Pending> SlurmLauncher::find(const SessionRow& session, FindDone done) {
  const auto marker = random_hex64();
  return ask(session, find_job_script(name_of(session), marker), kJobQuestionTimeoutMs,
             [marker, done = std::move(done)](const Result<ExecOutput>& output) {
               if (!output) return done(tl::unexpected(output.error()));
               const auto found = parse_find_job(output->out, marker);
               if (found.state == FoundJob::State::kUnknown) {
                 return done(fail(Errc::kUnavailable, kWhere,
                                  "SLURM did not say whether the job was submitted"));
               }
               const bool exists = found.state == FoundJob::State::kFound;
               done(exists ? std::optional<std::string>(found.job) : std::nullopt);
             });
}

std::unique_ptr<Pending> SlurmLauncher::end(const SessionRow& session, Done done) {
  const auto marker = random_hex64();
  return ask(session, end_job_script(job_of(session), name_of(session), session.id, marker),
             kEndJobTimeoutMs, [marker, done = std::move(done)](const Result<ExecOutput>& output) {
               if (!output) return done(tl::unexpected(output.error()));
               done(parse_end_job(output->out, marker));
             });
}

std::unique_ptr<Pending> SlurmLauncher::extend(const SessionRow& session, std::uint64_t minutes,
                                               Done done) {
  const auto job = job_of(session);
  if (job.empty() || minutes == 0 || minutes > kExtendMinutesMax) {
    return std::make_unique<NextTurn>(scheduler_, [job, done = std::move(done)] {
      done(job.empty() ? fail(Errc::kConflict, kWhere, "the session has no job yet")
                       : fail(Errc::kBadRequest, kWhere, "the minutes are 1 to a year's"));
    });
  }
  const auto marker = random_hex64();
  return ask(session, extend_job_script(job, minutes, marker), kJobQuestionTimeoutMs,
             [marker, done = std::move(done)](const Result<ExecOutput>& output) {
               if (!output) return done(tl::unexpected(output.error()));
               done(parse_extend_job(output->out, marker));
             });
}

std::unique_ptr<Pending> SlurmLauncher::read_log(const SessionRow& session, std::uint64_t offset,
                                                 LogDone done) {
  const auto marker = random_hex64();
  return ask(session, job_log_script(session.id, offset, marker), kJobQuestionTimeoutMs,
             [marker, done = std::move(done)](const Result<ExecOutput>& output) {
               if (!output) return done(tl::unexpected(output.error()));
               done(parse_job_log(output->out, marker));
             });
}

std::unique_ptr<Pending> SlurmLauncher::ask(const SessionRow& session, std::string script,
                                            std::uint64_t timeout_ms, ExecDone done) {
  return login_exec(scheduler_, logins_, session.key.user, session.key.cluster, "sh -s",
                    std::move(script), timeout_ms, std::move(done));
}

}  // namespace hpc
