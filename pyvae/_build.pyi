modules: dict[str, str]  # of each torch that it was built for, by its version
cuda: bool  # whether the CUDA kernels are in
cuda_version: str | None  # of the toolkit that built them
cuda_archs: tuple[str, ...]  # what there is code for; PTX of the last serves later ones
