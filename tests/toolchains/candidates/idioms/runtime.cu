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
