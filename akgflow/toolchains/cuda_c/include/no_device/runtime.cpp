// The CUDA runtime without a device: host code that was built for one runs, and launches are written down, not done.
//
// It is linked into the library in place of libcudart. Memory is the host's; what would move data between host and
// device does nothing, because there is nothing to move. Errors that the real runtime gives at a launch are kept for
// cudaGetLastError and for Python.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {
constexpr int MOST_KERNELS = 256;
constexpr int MOST_WITHOUT_ASKING = 48 * 1024;

struct Kernel {
  const void* host;
  const char* name;  // mangled
  int allowed;       // bytes of dynamic shared memory, by cudaFuncSetAttribute
  unsigned threads;  // most threads of a block at any launch; 0 where it was never launched
  size_t dynamic;    // most dynamic shared memory of a block at any launch
};
Kernel kernels[MOST_KERNELS];
int count = 0;
char problem[512];
int multiprocessors = 4, shared_optin = 227 * 1024, capability = 0;
bool guessed = false;  // host code has read values that no kernel wrote

struct Shape { unsigned x, y, z; };
struct { Shape grid, block; size_t shared; void* stream; } pushed;

Kernel* find(const void* host) {
  for (int i = 0; i < count; ++i) {
    if (kernels[i].host == host) return &kernels[i];
  }
  return nullptr;
}

template <class... Args>
int fail(const char* format, Args... args) {
  if (!problem[0]) std::snprintf(problem, sizeof problem, format, args...);
  return cudaErrorInvalidValue;
}

int launch(const void* host, Shape grid, Shape block, size_t shared) {
  Kernel* kernel = find(host);
  if (!kernel) return cudaErrorInvalidDeviceFunction;
  const unsigned long long threads = 1ull * block.x * block.y * block.z, blocks = 1ull * grid.x * grid.y * grid.z;
  if (threads == 0 || threads > 1024 || block.z > 64) {
    return fail("%s: a block of %ux%ux%u threads is not possible", kernel->name, block.x, block.y, block.z);
  }
  if (blocks == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) {
    return fail("%s: a grid of %ux%ux%u blocks is not possible", kernel->name, grid.x, grid.y, grid.z);
  }
  if (shared > size_t(kernel->allowed)) {
    return fail("%s: %zu bytes of dynamic shared memory are more than the %d that a launch may have unless "
                "cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) asks for more",
                kernel->name, shared, kernel->allowed);
  }
  if (threads > kernel->threads) kernel->threads = unsigned(threads);
  if (shared > kernel->dynamic) kernel->dynamic = shared;
  return cudaSuccess;
}
}  // namespace

extern "C" {
// What Python asks.
void akgflow_device(int sms, int optin, int arch) { multiprocessors = sms; shared_optin = optin; capability = arch; }
void akgflow_begin() { problem[0] = 0; guessed = false; }
int akgflow_guessed() { return guessed; }
const char* akgflow_problem() { return problem; }
int akgflow_kernel(int i, const char** name, unsigned* threads, unsigned long long* dynamic) {
  if (i >= count) return 0;
  *name = kernels[i].name;
  *threads = kernels[i].threads;
  *dynamic = kernels[i].dynamic;
  return 1;
}

// What nvcc's own glue calls.
void** __cudaRegisterFatBinary(void*) { static void* handle; return &handle; }
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
void __cudaRegisterVar(void**, char*, char*, const char*, int, size_t, int, int) {}
void __cudaRegisterManagedVar(void**, void**, char*, const char*, int, size_t, int, int) {}
char __cudaInitModule(void**) { return 0; }
void __cudaRegisterFunction(void**, const char* host, char*, const char* name, int, void*, void*, void*, void*, int*) {
  if (count < MOST_KERNELS) kernels[count++] = {host, name, MOST_WITHOUT_ASKING, 0, 0};
}
unsigned __cudaPushCallConfiguration(Shape grid, Shape block, size_t shared, void* stream) {
  pushed = {grid, block, shared, stream};
  return 0;
}
int __cudaPopCallConfiguration(Shape* grid, Shape* block, size_t* shared, void* stream) {
  *grid = pushed.grid;
  *block = pushed.block;
  *shared = pushed.shared;
  *static_cast<void**>(stream) = pushed.stream;
  return 0;
}
int __cudaGetKernel(const void** kernel, const void* host) { *kernel = host; return 0; }
int __cudaLaunchKernel(const void* host, Shape grid, Shape block, void**, size_t shared, void*) {
  return launch(host, grid, block, shared);
}

// What host code calls.
cudaError_t cudaLaunchKernel(const void* host, dim3 grid, dim3 block, void**, size_t shared, cudaStream_t) {
  return cudaError_t(launch(host, {grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared));
}
cudaError_t cudaLaunchCooperativeKernel(const void* host, dim3 grid, dim3 block, void** args, size_t shared,
                                        cudaStream_t stream) {
  return cudaLaunchKernel(host, grid, block, args, shared, stream);
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* host, void** args) {
  return cudaLaunchKernel(host, config->gridDim, config->blockDim, args, config->dynamicSmemBytes, config->stream);
}
cudaError_t cudaFuncSetAttribute(const void* host, cudaFuncAttribute attribute, int value) {
  Kernel* kernel = find(host);
  if (!kernel) return cudaErrorInvalidDeviceFunction;
  if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize && value > kernel->allowed) kernel->allowed = value;
  return cudaSuccess;
}
cudaError_t cudaFuncSetCacheConfig(const void*, cudaFuncCache) { return cudaSuccess; }
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  std::memset(attributes, 0, sizeof *attributes);
  attributes->maxThreadsPerBlock = 1024;
  attributes->maxDynamicSharedSizeBytes = MOST_WITHOUT_ASKING;
  // CUB chooses its kernels by these.
  attributes->ptxVersion = attributes->binaryVersion = capability;
  return cudaSuccess;
}
cudaError_t cudaGetLastError() { return problem[0] ? cudaErrorInvalidValue : cudaSuccess; }
cudaError_t cudaPeekAtLastError() { return cudaGetLastError(); }
const char* cudaGetErrorString(cudaError_t error) {
  if (error == cudaSuccess) return "no error";
  return problem[0] ? problem : "an error of what stands in for the CUDA runtime where there is no device";
}
const char* cudaGetErrorName(cudaError_t error) { return error == cudaSuccess ? "cudaSuccess" : "cudaErrorInvalidValue"; }
cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  *pointer = std::calloc(bytes ? bytes : 1, 1);
  return *pointer ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t) { return cudaMalloc(pointer, bytes); }
cudaError_t cudaFree(void* pointer) { std::free(pointer); return cudaSuccess; }
cudaError_t cudaFreeAsync(void* pointer, cudaStream_t) { return cudaFree(pointer); }
cudaError_t cudaMemcpy(void* to, const void*, size_t bytes, cudaMemcpyKind kind) {
  if (kind == cudaMemcpyDeviceToHost) std::memset(to, 0, bytes), guessed = true;
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
  return cudaMemcpy(to, from, bytes, kind);
}
cudaError_t cudaMemcpy2D(void*, size_t, const void*, size_t, size_t, size_t, cudaMemcpyKind) { return cudaSuccess; }
cudaError_t cudaMemcpyFromSymbol(void* to, const void*, size_t bytes, size_t, cudaMemcpyKind) {
  return cudaMemcpy(to, nullptr, bytes, cudaMemcpyDeviceToHost);
}
cudaError_t cudaGetSymbolAddress(void** address, const void* symbol) {
  *address = const_cast<void*>(symbol);
  return cudaSuccess;
}
cudaError_t cudaMallocManaged(void** pointer, size_t bytes, unsigned) { return cudaMalloc(pointer, bytes); }
cudaError_t cudaMallocHost(void** pointer, size_t bytes) { return cudaMalloc(pointer, bytes); }
cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned) { return cudaMalloc(pointer, bytes); }
cudaError_t cudaFreeHost(void* pointer) { return cudaFree(pointer); }
cudaError_t cudaMemset(void*, int, size_t) { return cudaSuccess; }
cudaError_t cudaMemsetAsync(void*, int, size_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaMemcpyToSymbol(const void*, const void*, size_t, size_t, cudaMemcpyKind) { return cudaSuccess; }
cudaError_t cudaMemcpyToSymbolAsync(const void*, const void*, size_t, size_t, cudaMemcpyKind, cudaStream_t) {
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) { *device = 0; return cudaSuccess; }
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* count) { *count = 1; return cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) { *version = CUDART_VERSION; return cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { *version = CUDART_VERSION; return cudaSuccess; }
cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  *available = *total = size_t(16) << 30;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount: *value = multiprocessors; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = shared_optin; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = MOST_WITHOUT_ASKING; break;
    case cudaDevAttrWarpSize: *value = 32; break;
    case cudaDevAttrMaxThreadsPerBlock: *value = 1024; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = 2048; break;
    case cudaDevAttrMaxBlocksPerMultiprocessor: *value = 32; break;
    case cudaDevAttrMaxRegistersPerBlock: *value = 65536; break;
    case cudaDevAttrMaxGridDimX: *value = 0x7fffffff; break;
    case cudaDevAttrMaxGridDimY: case cudaDevAttrMaxGridDimZ: *value = 65535; break;
    case cudaDevAttrMaxBlockDimX: case cudaDevAttrMaxBlockDimY: *value = 1024; break;
    case cudaDevAttrMaxBlockDimZ: *value = 64; break;
    case cudaDevAttrL2CacheSize: *value = 32 << 20; break;
    case cudaDevAttrComputeCapabilityMajor: *value = capability / 10; break;
    case cudaDevAttrComputeCapabilityMinor: *value = capability % 10; break;
    default: *value = 1;
  }
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* known, int) {
  std::memset(known, 0, sizeof *known);
  known->multiProcessorCount = multiprocessors;
  known->sharedMemPerBlock = MOST_WITHOUT_ASKING;
  known->sharedMemPerBlockOptin = size_t(shared_optin);
  known->warpSize = 32;
  known->maxThreadsPerBlock = 1024;
  known->regsPerBlock = known->regsPerMultiprocessor = 65536;
  known->sharedMemPerMultiprocessor = size_t(shared_optin);
  known->maxThreadsPerMultiProcessor = 2048;
  known->maxBlocksPerMultiProcessor = 32;
  known->major = capability / 10;
  known->minor = capability % 10;
  for (int axis = 0; axis < 3; ++axis) {
    known->maxGridSize[axis] = axis == 0 ? 0x7fffffff : 65535;
    known->maxThreadsDim[axis] = axis == 2 ? 64 : 1024;
  }
  std::snprintf(known->name, sizeof known->name, "no device");
  known->totalConstMem = 64 << 10;
  known->unifiedAddressing = known->managedMemory = known->concurrentKernels = known->cooperativeLaunch = 1;
  known->l2CacheSize = 32 << 20;
  known->totalGlobalMem = size_t(16) << 30;
  return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int threads, size_t shared) {
  const int by_threads = threads > 0 ? 2048 / threads : 0, by_shared = shared ? int(shared_optin / shared) : by_threads;
  *blocks = by_threads < by_shared ? by_threads : by_shared;
  return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* kernel, int threads,
                                                                   size_t shared, unsigned) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, kernel, threads, shared);
}
cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(size_t* bytes, const void*, int, int) {
  *bytes = size_t(shared_optin);
  return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) { *stream = nullptr; return cudaSuccess; }
cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) { *milliseconds = 1.0f; return cudaSuccess; }
cudaError_t cudaStreamCreate(cudaStream_t* stream) { *stream = nullptr; return cudaSuccess; }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return cudaStreamCreate(stream); }
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaEventCreate(cudaEvent_t* event) { *event = nullptr; return cudaSuccess; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return cudaEventCreate(event); }
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
}
