//! A web program with the standard library of Rust. Its world is imported by hand, and what the
//! library needs is WASI 0.1, which an adapter inside the component makes of 0.2.
use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::time::Duration;
use std::{env, slice, thread};

include!("realloc.rs");

extern "C" {
    fn __wasm_call_ctors();
}

// With this the linker leaves out what would set up the C library anew in each export: in cabi_realloc
// too, where no import may be called.
#[export_name = "_initialize"]
unsafe extern "C" fn initialize() {
    __wasm_call_ctors();
}


type Handle = i32;

#[link(wasm_import_module = "wasi:http/types@0.2.12")]
extern "C" {
    #[link_name = "[constructor]fields"]
    fn fields_new() -> Handle;
    #[link_name = "[method]fields.append"]
    fn fields_append(fields: Handle, name: *const u8, name_len: usize, value: *const u8, value_len: usize, result: *mut [u8; 2]);
    #[link_name = "[method]incoming-request.path-with-query"]
    fn request_path(request: Handle, path: *mut OptionalBytes);
    #[link_name = "[method]incoming-request.consume"]
    fn request_consume(request: Handle, body: *mut Made);
    #[link_name = "[resource-drop]incoming-request"]
    fn request_drop(request: Handle);
    #[link_name = "[method]incoming-body.stream"]
    fn incoming_stream(body: Handle, stream: *mut Made);
    #[link_name = "[resource-drop]incoming-body"]
    fn incoming_drop(body: Handle);
    #[link_name = "[constructor]outgoing-response"]
    fn response_new(headers: Handle) -> Handle;
    #[link_name = "[method]outgoing-response.set-status-code"]
    fn response_set_status(response: Handle, status: i32) -> i32;
    #[link_name = "[method]outgoing-response.body"]
    fn response_body(response: Handle, body: *mut Made);
    #[link_name = "[method]outgoing-body.write"]
    fn outgoing_stream(body: Handle, stream: *mut Made);
    #[link_name = "[static]outgoing-body.finish"]
    fn outgoing_finish(body: Handle, has_trailers: i32, trailers: Handle, result: *mut [u64; 5]);
    #[link_name = "[static]response-outparam.set"]
    fn outparam_set(out: Handle, is_err: i32, response: Handle, a: i32, b: i64, c: i32, d: i32, e: i32, f: i32);
}

#[link(wasm_import_module = "wasi:io/streams@0.2.12")]
extern "C" {
    #[link_name = "[method]input-stream.blocking-read"]
    fn input_read(stream: Handle, most: u64, result: *mut Read);
    #[link_name = "[resource-drop]input-stream"]
    fn input_drop(stream: Handle);
    #[link_name = "[method]output-stream.blocking-write-and-flush"]
    fn output_write(stream: Handle, at: *const u8, len: usize, result: *mut [u32; 3]);
    #[link_name = "[resource-drop]output-stream"]
    fn output_drop(stream: Handle);
}

#[repr(C)]
struct OptionalBytes {
    is_some: u8,
    at: *mut u8,
    len: usize,
}

#[repr(C)]
struct Made {
    is_err: u8,
    ok: Handle,
}

#[repr(C)]
struct Read {
    is_err: u8,
    at: *mut u8,
    len: usize,
}

/// Calls what writes its result to an address, and returns that.
unsafe fn result<T>(call: impl FnOnce(*mut T)) -> T {
    let mut value = MaybeUninit::uninit();
    call(value.as_mut_ptr());
    value.assume_init()
}

/// What the host has handed in was allocated as a vector of its length.
unsafe fn owned(at: *mut u8, len: usize) -> Vec<u8> {
    if len == 0 {
        return Vec::new();
    }
    Vec::from_raw_parts(at, len, len)
}

/// The pieces of a request's body, as they come.
struct Pieces {
    body: Handle,
    stream: Handle,
}

impl Pieces {
    unsafe fn of(request: Handle) -> Pieces {
        let body = result(|r| request_consume(request, r)).ok;
        Pieces { body, stream: result(|r| incoming_stream(body, r)).ok }
    }
}

impl Iterator for Pieces {
    type Item = Vec<u8>;
    fn next(&mut self) -> Option<Vec<u8>> {
        let read = unsafe { result(|r| input_read(self.stream, 10_000, r)) };
        (read.is_err == 0).then(|| unsafe { owned(read.at, read.len) })
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        unsafe {
            input_drop(self.stream);
            incoming_drop(self.body);
        }
    }
}

struct Answer {
    body: Handle,
    stream: Handle,
}

impl Answer {
    unsafe fn begin(out: Handle, status: i32, headers: &[(&str, &str)]) -> Answer {
        let fields = fields_new();
        for (name, value) in headers {
            result(|r| fields_append(fields, name.as_ptr(), name.len(), value.as_ptr(), value.len(), r));
        }
        let response = response_new(fields);
        response_set_status(response, status);
        let body = result(|r| response_body(response, r)).ok;
        let stream = result(|r| outgoing_stream(body, r)).ok;
        outparam_set(out, 0, response, 0, 0, 0, 0, 0, 0);
        Answer { body, stream }
    }

    unsafe fn write(&self, text: &[u8]) {
        for piece in text.chunks(4096) {
            let failed = result(|r| output_write(self.stream, piece.as_ptr(), piece.len(), r));
            assert!(slice::from_raw_parts(failed.as_ptr() as *const u8, 1)[0] == 0, "nobody reads the answer");
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        unsafe {
            output_drop(self.stream);
            result(|r| outgoing_finish(self.body, 0, 0, r));
        }
    }
}

#[export_name = "wasi:http/incoming-handler@0.2.12#handle"]
unsafe extern "C" fn handle(request: Handle, out: Handle) {
    let path = result(|r| request_path(request, r));
    let path = String::from_utf8(owned(path.at, path.len)).expect("a path is text");
    let plain = [("content-type", "text/plain")];
    match path.as_str() {
        "/" => Answer::begin(out, 200, &plain).write(b"Hello from Rust.\n"),
        "/upper" => {
            let answer = Answer::begin(out, 200, &plain);
            Pieces::of(request).for_each(|piece| answer.write(&piece.to_ascii_uppercase()));
        }
        "/letters" => {
            let mut counts = BTreeMap::new();
            Pieces::of(request).flatten().for_each(|b| *counts.entry(b as char).or_insert(0u64) += 1);
            Answer::begin(out, 200, &[("content-type", "application/json"), ("x-kinds", &counts.len().to_string())])
                .write(format!("{:?}\n", counts).as_bytes());
        }
        "/env" => Answer::begin(out, 200, &plain).write(format!("{}\n", env::vars().count()).as_bytes()),
        "/print" => {
            println!("said to stdout");
            eprintln!("said to stderr");
            Answer::begin(out, 202, &plain).write(b"printed\n");
        }
        "/sleep" => {
            thread::sleep(Duration::from_millis(30));
            Answer::begin(out, 200, &plain).write(b"slept\n");
        }
        "/panic" => panic!("on purpose"),
        _ => Answer::begin(out, 404, &plain).write(b"no such path\n"),
    }
    request_drop(request);
}
