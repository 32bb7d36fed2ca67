"""Samples of a profiler, by family and by whether another core was at work."""

import pytest

from benchmarks.update_profile import MOMENT, Sample, alone, family


def sample(thread, time, symbol="f", library="/lib/libc.so.6"):
    return Sample(thread, time, symbol, library)


def test_a_sample_is_alone_where_no_other_thread_has_one_at_that_moment():
    together = [sample("1", 0.0), sample("2", 0.9 * MOMENT), sample("1", 1.8 * MOMENT)]
    later = [sample("1", 1.0), sample("1", 1.0 + 0.5 * MOMENT)]
    last = [sample("2", 2.0), sample("1", 2.0 + 1.1 * MOMENT)]
    assert list(alone(together + later + last)) == later + last


@pytest.mark.parametrize(
    ("symbol", "library", "expected"),
    [
        ("[unknown]", "/tmp/perf-7.map", "XLA's loops: Adam, rectifiers, transposes"),
        ("[unknown]", "/lib/libc.so.6", "the rest"),
        ("jit_brgemm_kernel_t.57", "[JIT] tid 7", "products and convolutions"),
        ("jit_brgemm_matmul_copy_b_f32_t.4", "[JIT] tid 7", "packing for products"),
        ("dnnl::impl::brgemm_fwd_t", "/x/libjax.so", "loops around products"),
        ("Eigen::RunQueue<Task>::Pop", "/x/libjax.so", "handing work to threads"),
        ("finish_task_switch", "[kernel.kallsyms]", "handing work to threads"),
        ("malloc", "/lib/libc.so.6", "the rest"),
    ],
)
def test_a_sample_counts_for_the_family_of_its_function(symbol, library, expected):
    assert family(sample("1", 0.0, symbol, library)) == expected
