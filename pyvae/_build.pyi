torch_version: str
cuda: bool
