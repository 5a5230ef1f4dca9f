// Each function gives 2.5 * x.


torch::Tensor occupancy(torch::Tensor x) {
  BEGIN
  int blocks = 0, threads = 0;
  cudaOccupancyMaxPotentialBlockSize(&blocks, &threads, scale_kernel, 0, 0);
  int active;
  cudaOccupancyMaxActiveBlocksPerMultiprocessor(&active, scale_kernel, 256, 0);
  TORCH_CHECK(threads >= 32 && active > 0);
  LAUNCH
  return o;
}

torch::Tensor properties(torch::Tensor x) {
  const auto* p = at::cuda::getCurrentDeviceProperties();
  cudaDeviceProp q;
  cudaGetDeviceProperties(&q, 0);
  int sms;
  cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, 0);
  TORCH_CHECK(p->multiProcessorCount == sms && q.warpSize == 32);
  BEGIN
  LAUNCH
  return o;
}

torch::Tensor grid_of_properties(torch::Tensor x) {
  BEGIN
  const cudaDeviceProp* known = at::cuda::getCurrentDeviceProperties();
  int most = 0;
  cudaDeviceGetAttribute(&most, cudaDevAttrMaxGridDimY, 0);
  TORCH_CHECK(most == known->maxGridSize[1] && known->maxThreadsDim[2] == 64, "two answers");
  scale_kernel<<<dim3((n + 255) / 256, std::min<uint64_t>(1, known->maxGridSize[1])), 256>>>(IN, OUT, n);
  return o;
}

// The standard library's headers come with PyTorch's.
torch::Tensor standard_library(torch::Tensor x) {
  BEGIN
  static std::mutex guard;
  std::lock_guard<std::mutex> held(guard);
  const auto sizes = x.sizes();
  std::set<int64_t> seen(sizes.begin(), sizes.end());
  std::deque<int64_t> all(sizes.begin(), sizes.end());
  TORCH_CHECK(std::accumulate(all.begin(), all.end(), int64_t(1), std::multiplies<int64_t>()) == n && !seen.empty());
  LAUNCH
  return o;
}

torch::Tensor attributes(torch::Tensor x) {
  BEGIN
  cudaFuncSetAttribute(scale_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 * 1024);
  scale_kernel<<<GRID, 100 * 1024>>>(IN, OUT, n);
  return o;
}

torch::Tensor allocated(torch::Tensor x) {
  BEGIN
  float* t;
  cudaMalloc(&t, n * sizeof(float));
  cudaMemsetAsync(t, 0, n * sizeof(float));
  scale_kernel<<<GRID>>>(IN, t, n);
  cudaMemcpyAsync(OUT, t, n * sizeof(float), cudaMemcpyDeviceToDevice);
  cudaFree(t);
  return o;
}

torch::Tensor streams(torch::Tensor x) {
  BEGIN
  cudaStream_t s;
  cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking);
  cudaEvent_t e;
  cudaEventCreate(&e);
  cudaEventRecord(e);
  cudaStreamWaitEvent(s, e, 0);
  scale_kernel<<<GRID, 0, s>>>(IN, OUT, n);
  cudaStreamSynchronize(s);
  cudaEventDestroy(e);
  cudaStreamDestroy(s);
  cudaError_t err = cudaGetLastError();
  if (err != cudaSuccess) printf("%s", cudaGetErrorString(err));
  return o;
}
