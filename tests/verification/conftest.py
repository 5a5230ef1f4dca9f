"""One executor for all tests here: starting a judge takes seconds, a judgement a tenth of one."""

import pytest
from judging import Bench, install_plain, with_path


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judging")
    install_plain(folder / "packages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", with_path(folder / "packages"))
        patch.setenv("OPENAI_API_KEY", "sk-not-for-candidates")
        patch.setenv("CUDA_TOKEN", "not-for-candidates")
        bench = Bench(folder / "scratch")
        yield bench
        bench.close()
