// What GCC calls for OpenMP, on plain threads whose order ThreadSanitizer sees. libgomp waits in ways that it does not
// see, so that what is in order looks like a race.
//
// A parallel region starts and joins its threads; barriers, critical sections and locks are pthread's. The hand-out of
// iterations is no order between threads: it spins on a word of this file, which is compiled without the sanitizer.
// Tasks, sections, ordered loops and teams are not here: a library that needs them is not looked at.
#include <pthread.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace {

constexpr int THREADS = 4;   // also where there are fewer cores: an order that is missing shows in one interleaving
constexpr int MOST = 16;

struct Work { long next, end, step, chunk; bool single; };

struct Team {
  int size;
  pthread_barrier_t barrier;
  char busy = 0;
  std::map<unsigned long, Work> works{};
};

struct Member { void (*body)(void*); void* data; Team* team; int number; };

Team alone{1, {}};
thread_local Team* team = &alone;
thread_local int number = 0;
thread_local unsigned long construct = 0;
int wanted = THREADS;
pthread_mutex_t critical = PTHREAD_MUTEX_INITIALIZER, atomics = PTHREAD_MUTEX_INITIALIZER;

struct Busy {
  Busy() { while (__atomic_test_and_set(&team->busy, __ATOMIC_ACQUIRE)) {} }
  ~Busy() { __atomic_clear(&team->busy, __ATOMIC_RELEASE); }
};

void* run(void* given) {
  const Member* member = static_cast<Member*>(given);
  team = member->team;
  number = member->number;
  construct = 0;
  member->body(member->data);
  return nullptr;
}

void parallel(void (*body)(void*), void* data, unsigned threads, const Work* first) {
  const bool nested = team->size > 1;
  const int size = nested ? 1 : threads == 0 ? wanted : int(threads) < MOST ? int(threads) : MOST;
  Team made{size, {}};
  if (first != nullptr) made.works[1] = *first;
  pthread_barrier_init(&made.barrier, nullptr, unsigned(size));
  std::vector<Member> members(static_cast<size_t>(size));
  std::vector<pthread_t> handles(static_cast<size_t>(size));
  for (int i = 0; i < size; ++i) members[size_t(i)] = {body, data, &made, i};
  for (int i = 1; i < size; ++i) pthread_create(&handles[size_t(i)], nullptr, run, &members[size_t(i)]);
  Team* const before = team;
  const int own = number;
  const unsigned long at = construct;
  run(&members[0]);
  team = before;
  number = own;
  construct = at;
  for (int i = 1; i < size; ++i) pthread_join(handles[size_t(i)], nullptr);
  pthread_barrier_destroy(&made.barrier);
}

bool taken(Work& work, long* from, long* to) {
  const bool up = work.step > 0;
  if (up ? work.next >= work.end : work.next <= work.end) return false;
  *from = work.next;
  long stop = work.next + work.chunk * work.step;
  if (up ? stop > work.end : stop < work.end) stop = work.end;
  *to = work.next = stop;
  return true;
}

bool next(long* from, long* to) {
  Busy busy;
  return taken(team->works[construct], from, to);
}

bool start(long begin, long end, long step, long chunk, long* from, long* to) {
  ++construct;
  {
    Busy busy;
    team->works.try_emplace(construct, Work{begin, end, step, chunk > 0 ? chunk : 1, false});
  }
  return next(from, to);
}

void barrier() {
  if (team->size > 1) pthread_barrier_wait(&team->barrier);
}

}  // namespace

extern "C" {

void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned) { parallel(body, data, threads, nullptr); }
void GOMP_barrier() { barrier(); }
void GOMP_critical_start() { pthread_mutex_lock(&critical); }
void GOMP_critical_end() { pthread_mutex_unlock(&critical); }
void GOMP_critical_name_start(void** name) {
  static std::map<void**, pthread_mutex_t> locks;
  static char busy = 0;
  while (__atomic_test_and_set(&busy, __ATOMIC_ACQUIRE)) {}
  pthread_mutex_t* lock = &locks.try_emplace(name, pthread_mutex_t(PTHREAD_MUTEX_INITIALIZER)).first->second;
  *name = lock;
  __atomic_clear(&busy, __ATOMIC_RELEASE);
  pthread_mutex_lock(lock);
}
void GOMP_critical_name_end(void** name) { pthread_mutex_unlock(static_cast<pthread_mutex_t*>(*name)); }
void GOMP_atomic_start() { pthread_mutex_lock(&atomics); }
void GOMP_atomic_end() { pthread_mutex_unlock(&atomics); }
bool GOMP_single_start() {
  ++construct;
  Busy busy;
  return team->works.try_emplace(construct, Work{0, 0, 1, 1, true}).second;
}

#define LOOP(KIND)                                                                                                  \
  bool GOMP_loop_##KIND##_start(long b, long e, long s, long c, long* f, long* t) { return start(b, e, s, c, f, t); } \
  bool GOMP_loop_##KIND##_next(long* f, long* t) { return next(f, t); }                                            \
  void GOMP_parallel_loop_##KIND(void (*body)(void*), void* data, unsigned n, long b, long e, long s, long c, unsigned) { \
    const Work work{b, e, s, c > 0 ? c : 1, false};                                                                 \
    parallel([](void* given) { ++construct; auto* pair = static_cast<std::pair<void (*)(void*), void*>*>(given);   \
               pair->first(pair->second); },                                                                       \
             new std::pair<void (*)(void*), void*>(body, data), n, &work);                                         \
  }
#define LOOP_BY_ENVIRONMENT(KIND)                                                                                   \
  bool GOMP_loop_##KIND##_start(long b, long e, long s, long* f, long* t) { return start(b, e, s, 1, f, t); }      \
  bool GOMP_loop_##KIND##_next(long* f, long* t) { return next(f, t); }                                            \
  void GOMP_parallel_loop_##KIND(void (*body)(void*), void* data, unsigned n, long b, long e, long s, unsigned) {  \
    GOMP_parallel_loop_dynamic(body, data, n, b, e, s, 1, 0);                                                       \
  }
LOOP(static)
LOOP(dynamic)
LOOP(guided)
LOOP(nonmonotonic_dynamic)
LOOP(nonmonotonic_guided)
LOOP_BY_ENVIRONMENT(runtime)
LOOP_BY_ENVIRONMENT(maybe_nonmonotonic_runtime)
LOOP_BY_ENVIRONMENT(nonmonotonic_runtime)
void GOMP_loop_end() { barrier(); }
void GOMP_loop_end_nowait() {}

int omp_get_thread_num() { return number; }
int omp_get_num_threads() { return team->size; }
int omp_get_max_threads() { return wanted; }
int omp_get_num_procs() { return THREADS; }
int omp_get_thread_limit() { return MOST; }
int omp_in_parallel() { return team->size > 1; }
int omp_get_level() { return team->size > 1; }
int omp_get_dynamic() { return 0; }
void omp_set_dynamic(int) {}
void omp_set_num_threads(int n) { wanted = n < 1 ? 1 : n < MOST ? n : MOST; }
void omp_set_schedule(int, int) {}
double omp_get_wtime() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
void omp_init_lock(void** lock) { *lock = new pthread_mutex_t(PTHREAD_MUTEX_INITIALIZER); }
void omp_destroy_lock(void** lock) { delete static_cast<pthread_mutex_t*>(*lock); }
void omp_set_lock(void** lock) { pthread_mutex_lock(static_cast<pthread_mutex_t*>(*lock)); }
void omp_unset_lock(void** lock) { pthread_mutex_unlock(static_cast<pthread_mutex_t*>(*lock)); }
int omp_test_lock(void** lock) { return pthread_mutex_trylock(static_cast<pthread_mutex_t*>(*lock)) == 0; }

}
