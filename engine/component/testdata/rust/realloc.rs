// Memory for what the host and the adapter hand in, of the allocator that the program uses. Without it
// the adapter would take pages of its own, which the C library of Rust 1.63 takes for a part of its heap.
#[export_name = "cabi_realloc"]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_len: usize, align: usize, len: usize) -> *mut u8 {
    use std::alloc::{alloc, realloc, Layout};
    match (old_len, len) {
        (_, 0) => align as *mut u8,
        (0, _) => alloc(Layout::from_size_align_unchecked(len, align)),
        _ => realloc(old, Layout::from_size_align_unchecked(old_len, align), len),
    }
}
