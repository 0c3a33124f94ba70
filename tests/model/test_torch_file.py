"""PyTorch's files are read as PyTorch reads them, and every attack by pickle or zip is refused in one line."""

import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from mathderive.core.errors import InputError
from mathderive.model.torch_file import MAX_PICKLE_BYTES, read_torch_file, torch_file_shapes

# The opcodes that PyTorch writes. With them, files can be made without PyTorch and against its rules.
PROTOCOL, MARK, TUPLE, DICT, SET_ITEMS, REDUCE, PERSISTENT, STOP = b"\x80\x02", b"(", b"t", b"}", b"u", b"R", b"Q", b"."
EMPTY_TUPLE, FALSE = b")", b"\x89"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<i", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", value)


def numbers(values: Iterable[int]) -> bytes:
    return MARK + b"".join(map(number, values)) + TUPLE


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


ORDERED_DICT = name("collections", "OrderedDict") + EMPTY_TUPLE + REDUCE


def tensor(
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    key: str = "0",
    size: int = 6,
    offset: int = 0,
    kind: str = "FloatStorage",
) -> bytes:
    """A tensor in the storage `key` of `size` numbers."""
    storage = MARK + text("storage") + name("torch", kind) + text(key) + text("cpu") + number(size) + TUPLE + PERSISTENT
    arguments = storage + number(offset) + numbers(shape) + numbers(strides) + FALSE + ORDERED_DICT
    return name("torch._utils", "_rebuild_tensor_v2") + MARK + arguments + TUPLE + REDUCE


def state_dict(**values: bytes) -> bytes:
    items = b"".join(text(key) + value for key, value in values.items())
    return PROTOCOL + DICT + MARK + items + SET_ITEMS + STOP


MATRIX = tensor((2, 3), (3, 1))
SIX = np.arange(6, dtype=np.float32)


def write(path: Path, data_pickle: bytes, compression: int = zipfile.ZIP_STORED, **entries: bytes) -> Path:
    """A file in PyTorch's format: storage 0 holds the numbers 0 to 5."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for entry, content in {"data.pkl": data_pickle, "data/0": SIX.tobytes(), **entries}.items():
            archive.writestr(f"archive/{entry}", content)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pytorch_model.bin"


def test_the_format_as_written_down(path: Path) -> None:
    write(path, state_dict(rows=MATRIX, columns=tensor((3, 2), (1, 3)), last=tensor((), (), offset=5)))
    tensors = read_torch_file(path)
    np.testing.assert_array_equal(tensors["rows"], SIX.reshape(2, 3))
    np.testing.assert_array_equal(tensors["columns"], SIX.reshape(2, 3).T)
    assert tensors["last"] == 5
    assert torch_file_shapes(path) == {"rows": (2, 3), "columns": (3, 2), "last": ()}


def test_what_pytorch_saves_is_what_it_loads(path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    base = torch.randn(5, 7)
    parameter = torch.nn.Parameter(torch.randn(3))
    saved = {
        **{str(dtype): base.to(dtype) for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)},
        **{str(dtype): (base * 50).to(dtype) for dtype in (torch.int64, torch.int32, torch.uint8, torch.bool)},
        "base": base,
        "tied": base,
        "transposed": base.T,
        "part": base[1:4, ::2],
        "row": base[2],
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "parameter": parameter,
        "copy of a parameter": torch.nn.Parameter(base, requires_grad=False),
    }
    torch.save(saved, path)
    found, expected = read_torch_file(path), torch.load(path, weights_only=True)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        same = value.detach().float().numpy() if value.dtype == torch.bfloat16 else value.detach().numpy()
        np.testing.assert_array_equal(found[key].astype(same.dtype), same, err_msg=key)
        assert str(found[key].dtype) == str(value.dtype).removeprefix("torch.")
    assert np.shares_memory(found["base"], found["transposed"])


def test_a_models_state_with_its_metadata(path: Path) -> None:
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    torch.save(model.state_dict(), path)
    found = read_torch_file(path)
    assert found.keys() == model.state_dict().keys()
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(found[key], value.numpy())


def test_the_format_before_1_6_is_named(path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"x": torch.zeros(3)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(InputError, match=r"pytorch_model\.bin: saved by PyTorch before 1\.6"):
        read_torch_file(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}.", b"x" * 1000])
def test_what_is_no_zip_is_one_line(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"pytorch_model\.bin: not a whole PyTorch file"):
        read_torch_file(path)


def test_a_missing_file_is_one_line(path: Path) -> None:
    with pytest.raises(InputError, match=r"pytorch_model\.bin: no such file"):
        read_torch_file(path)


def test_truncation_and_flipped_bits_are_seen(path: Path) -> None:
    whole = write(path, state_dict(x=MATRIX)).read_bytes()
    for damaged in (whole[:-30], whole.replace(SIX.tobytes(), SIX[::-1].tobytes())):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="not a whole PyTorch file"):
            read_torch_file(path)


NESTED = EMPTY_TUPLE + b"".join(b"q%c" % i + b"h%c" % i + b"\x86" for i in range(100))
"""Nested tuples, each with the next one twice: a kilobyte whose hash takes 2^100 steps."""


RECURSIVE = PROTOCOL + DICT + b"q\x00" + MARK + text("x") + b"h\x00" + SET_ITEMS + STOP
"""A dictionary that holds itself."""


@pytest.mark.parametrize(
    ("data_pickle", "message"),
    [
        (state_dict(x=name("posix", "system") + MARK + text("touch hacked") + TUPLE + REDUCE), "asks for posix.system"),
        (state_dict(x=name("builtins", "eval") + MARK + text("1") + TUPLE + REDUCE), "asks for builtins.eval"),
        (state_dict(x=name("torch", "FloatStorage") + EMPTY_TUPLE + REDUCE), "calls something that is no function"),
        (state_dict(x=number(1)), "expected a dictionary of tensors"),
        (PROTOCOL + MATRIX + STOP, "expected a dictionary of tensors"),
        (PROTOCOL + DICT + MARK + NESTED + MATRIX + SET_ITEMS + STOP, "keys that are not text"),
        (RECURSIVE, "expected a dictionary of tensors"),
        (b"\x80\x04\x95" + struct.pack("<q", 2) + b"}.", "protocol 4"),
        (PROTOCOL + b"\x96" + struct.pack("<q", 2**40), "not a whole PyTorch file"),
        (PROTOCOL + DICT + b"0" * 5 + STOP, "uses POP"),
        (state_dict(x=MATRIX)[:-1], "not a whole PyTorch file"),
        (PROTOCOL + SET_ITEMS + STOP, "not a whole PyTorch file"),
        (state_dict(x=MATRIX) + b" " * MAX_PICKLE_BYTES, "its pickle has"),
        (state_dict(x=tensor((2, 4), (4, 1))), "tensor x reaches beyond its storage"),
        (state_dict(x=tensor((2, 3), (3, 1), offset=1)), "tensor x reaches beyond its storage"),
        (state_dict(x=tensor((10**9,), (0,))), "tensor x reaches beyond its storage"),
        (state_dict(x=tensor((2, 3), (3, -1))), "without a valid shape"),
        (state_dict(x=tensor((2, 3), (1,))), "without a valid shape"),
        (state_dict(x=tensor((2, 3), (3, 1), size=2**40)), "its storage should have"),
        (state_dict(x=tensor((2, 3), (3, 1), kind="DoubleStorage")), "its storage should have"),
        (state_dict(x=tensor((2, 3), (3, 1), kind="ComplexFloatStorage")), "asks for torch.ComplexFloatStorage"),
        (state_dict(x=tensor((2, 3), (3, 1), key="../0")), "a storage that has no number"),
        (state_dict(x=tensor((2, 3), (3, 1), key="7")), "not a whole PyTorch file"),
    ],
)
def test_a_hostile_pickle_is_one_line(
    path: Path, monkeypatch: pytest.MonkeyPatch, data_pickle: bytes, message: str
) -> None:
    monkeypatch.chdir(path.parent)
    write(path, data_pickle)
    for read in (read_torch_file, torch_file_shapes):
        with pytest.raises(InputError, match=message) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert len(str(caught.value)) < 500
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_views_that_overlap_beyond_the_files_size_are_refused(path: Path) -> None:
    storage = np.zeros(1000, np.float32)
    views = {f"x{i}": tensor((900,), (1,), size=1000, offset=i) for i in range(100)}
    write(path, state_dict(**views), zipfile.ZIP_STORED, **{"data/0": storage.tobytes()})
    with pytest.raises(InputError, match="overlap and would take more memory"):
        read_torch_file(path)


def test_a_zip_that_claims_more_than_it_holds_is_refused(path: Path) -> None:
    write(path, state_dict(x=MATRIX), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="compressed; expected them stored"):
        read_torch_file(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", state_dict(x=MATRIX))
        archive.writestr("archive/data/0", SIX.tobytes())
        archive.getinfo("archive/data/0").file_size = 2**31  # the size in the directory at the end of the zip
    with pytest.raises(InputError, match="claim more bytes than the file has"):
        read_torch_file(path)


def test_a_memo_of_any_number_costs_nothing(path: Path) -> None:
    """Python's unpickler would allocate 2^31 entries."""
    write(path, PROTOCOL + DICT + b"r" + struct.pack("<I", 2**31 - 1) + STOP)
    assert read_torch_file(path) == {}


def test_big_endian_numbers_are_refused(path: Path) -> None:
    write(path, state_dict(x=MATRIX), byteorder=b"big")
    with pytest.raises(InputError, match="big-endian"):
        read_torch_file(path)


def test_an_archive_without_a_pickle_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "nothing")
    with pytest.raises(InputError, match=r"expected one data\.pkl inside, found 0"):
        read_torch_file(path)


def test_a_tensor_of_many_dimensions_is_refused(path: Path) -> None:
    """The product of the extents would have millions of digits."""
    extents = MARK + number(2**47) + b"q\x01" + b"h\x01" * 50_000 + TUPLE
    storage = MARK + text("storage") + name("torch", "FloatStorage") + text("0") + text("cpu") + number(6) + TUPLE
    arguments = storage + PERSISTENT + number(0) + extents + b"q\x02" + b"h\x02" + FALSE + ORDERED_DICT
    write(path, state_dict(x=name("torch._utils", "_rebuild_tensor_v2") + MARK + arguments + TUPLE + REDUCE))
    with pytest.raises(InputError, match="without a valid shape"):
        torch_file_shapes(path)


def test_a_directory_of_many_entries_is_refused_before_it_is_read(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number_of_entry in range(20_000):
            archive.writestr(f"archive/data/{number_of_entry}", b"")
    with pytest.raises(InputError, match="its directory has"):
        read_torch_file(path)


def test_a_byte_order_of_any_size_is_refused(path: Path) -> None:
    write(path, state_dict(x=MATRIX), byteorder=b"l" * 10**6)
    with pytest.raises(InputError, match="big-endian"):
        read_torch_file(path)
