#include "manager/session/browser_prompter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

/// Asks on a thread of its own, as a connector does.
class Asking {
 public:
  Asking(std::shared_ptr<SshPrompter> prompter, std::string prompt, bool echo)
      : thread_([this, prompter = std::move(prompter), prompt = std::move(prompt), echo] {
          answer_ = prompter->ask(prompt, echo);
          over_ = true;
        }) {}
  ~Asking() { thread_.join(); }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;
  bool over() const { return over_; }
  const std::optional<std::string>& answer() const { return answer_; }

 private:
  std::optional<std::string> answer_;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

struct BrowserPrompterTest : LoopFixture {
  std::shared_ptr<BrowserPrompter> make(std::uint64_t answer_ms = 60'000) {
    return browser_prompters(
        loop, answer_ms)([this](auto question) { questions.push_back(std::move(question)); });
  }
  void wait_for_question(std::size_t count = 1) {
    ASSERT_TRUE(wait_for([this, count] { return questions.size() == count; }));
  }
  void expect_over(const Asking& asking) {
    EXPECT_TRUE(wait_for([&asking] { return asking.over(); }));
  }

  std::vector<BrowserPrompter::Question> questions;
};

TEST_F(BrowserPrompterTest, BringsTheQuestionToTheLoopAndTheAnswerBack) {
  const auto make_one = browser_prompters(loop, 60'000);
  const auto prompter =
      make_one([this](auto question) { questions.push_back(std::move(question)); });
  const Asking asking(prompter, "Code: ", true);
  wait_for_question();
  EXPECT_EQ(questions[0].text, "Code: ");
  EXPECT_TRUE(questions[0].echo);
  EXPECT_FALSE(asking.over());
  prompter->answer("123456");
  expect_over(asking);
  EXPECT_EQ(asking.answer(), "123456");
  const Asking next(prompter, "Password: ", false);
  wait_for_question(2);
  EXPECT_FALSE(questions[1].echo);
  prompter->answer(std::string(1024, 'x'));
  expect_over(next);
  EXPECT_EQ(next.answer(), std::string(1024, 'x'));
}

TEST_F(BrowserPrompterTest, AnAnswerWithoutAQuestionIsNotKept) {
  const auto make_one = browser_prompters(loop, 60'000);
  const auto prompter =
      make_one([this](auto question) { questions.push_back(std::move(question)); });
  prompter->answer("too early");
  const Asking asking(prompter, "Code: ", true);
  wait_for_question();
  EXPECT_FALSE(asking.over());
  prompter->answer("right");
  prompter->answer("sent twice");
  expect_over(asking);
  EXPECT_EQ(asking.answer(), "right");
}

TEST_F(BrowserPrompterTest, TheTimeIsUpForAllQuestions) {
  const auto prompter = make(/*answer_ms=*/1);
  const Asking asking(prompter, "Code: ", true);
  expect_over(asking);
  EXPECT_EQ(asking.answer(), std::nullopt);
  EXPECT_TRUE(prompter->overdue());
  const Asking next(prompter, "Password: ", true);
  expect_over(next);
  EXPECT_EQ(next.answer(), std::nullopt);
}

TEST_F(BrowserPrompterTest, CancelAndCloseEndTheWaitForGood) {
  for (const bool close : {true, false}) {
    const auto prompter = make();
    const Asking asking(prompter, "Code: ", true);
    if (close) {
      prompter->close();
    } else {
      prompter->cancel();
    }
    expect_over(asking);
    EXPECT_EQ(asking.answer(), std::nullopt);
    EXPECT_FALSE(prompter->overdue());
    const Asking next(prompter, "Password: ", true);
    expect_over(next);
    EXPECT_EQ(next.answer(), std::nullopt);
  }
}

TEST_F(BrowserPrompterTest, AfterCloseNobodyIsShownAnything) {
  const auto make_one = browser_prompters(loop, 60'000);
  const auto prompter =
      make_one([this](auto question) { questions.push_back(std::move(question)); });
  const Asking asking(prompter, "Code: ", true);
  prompter->close();
  expect_over(asking);
  settle(loop);
  EXPECT_TRUE(questions.empty());
}

TEST_F(BrowserPrompterTest, MayBeForgottenWhileItsThreadAsks) {
  auto prompter = make();
  const Asking asking(prompter, "Code: ", true);
  prompter->close();
  prompter.reset();
  expect_over(asking);
  EXPECT_EQ(asking.answer(), std::nullopt);
}

TEST_F(BrowserPrompterTest, UnknownHostKeysAreRefused) {
  EXPECT_EQ(make()->confirm("Is this the fingerprint?"), std::nullopt);
}

}  // namespace
}  // namespace hpc
