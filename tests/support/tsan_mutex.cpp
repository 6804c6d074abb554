// Shows ThreadSanitizer what absl::Mutex orders, in spite of an Abseil not compiled for it.
//
// Without this every access under such a mutex would be reported. These definitions go before those
// of Abseil's shared library, and call them.
#include <absl/synchronization/mutex.h>

#include <dlfcn.h>

#include <string>

extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
}

namespace absl {
ABSL_NAMESPACE_BEGIN

namespace {

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

// The library's function, by the end of its mangled name.
template <class Function>
Function* next(const char* member) {
  const std::string scope = TEXT(ABSL_OPTION_INLINE_NAMESPACE_NAME);
  const std::string name = "_ZN4absl" + std::to_string(scope.size()) + scope + "5Mutex" + member;
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name.c_str()));
}

// Whoever unlocks asks the conditions of those who wait, and these ask their own, under a lock that
// the sanitizer does not see.
class reads_ignored {
 public:
  reads_ignored() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~reads_ignored() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
};

}  // namespace

void Mutex::Lock() {
  static const auto lock = next<void(Mutex*)>("4LockEv");
  lock(this);
  __tsan_acquire(this);
}

bool Mutex::TryLock() {
  static const auto try_lock = next<bool(Mutex*)>("7TryLockEv");
  const bool locked = try_lock(this);
  if (locked) {
    __tsan_acquire(this);
  }
  return locked;
}

void Mutex::Unlock() {
  static const auto unlock = next<void(Mutex*)>("6UnlockEv");
  __tsan_release(this);
  const reads_ignored ignored;
  unlock(this);
}

void Mutex::LockWhen(const Condition& condition) {
  static const auto lock_when = next<void(Mutex*, const Condition&)>("8LockWhenERKNS0_9ConditionE");
  {
    const reads_ignored ignored;
    lock_when(this, condition);
  }
  __tsan_acquire(this);
}

void Mutex::Await(const Condition& condition) {
  static const auto await = next<void(Mutex*, const Condition&)>("5AwaitERKNS0_9ConditionE");
  __tsan_release(this);
  {
    const reads_ignored ignored;
    await(this, condition);
  }
  __tsan_acquire(this);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  static const auto await = next<bool(Mutex*, const Condition&, Duration)>(
      "16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  __tsan_release(this);
  bool holds = false;
  {
    const reads_ignored ignored;
    holds = await(this, condition, timeout);
  }
  __tsan_acquire(this);
  return holds;
}

ABSL_NAMESPACE_END
}  // namespace absl
