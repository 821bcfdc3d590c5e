;; Asks for ever more handles.
(component
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error'))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error' (type $e0))
    (export "output-stream" (type $out (sub resource)))
    (export "error" (type $e (eq $e0)))
    (type $failure (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $failure' (eq $failure)))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $failure')))))))
  (alias export $streams "output-stream" (type $out))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $out (type $out0))
    (export "output-stream" (type $out' (eq $out0)))
    (export "get-stdout" (func (result (own $out'))))))
  (alias export $stdout "get-stdout" (func $get))
  (alias export $streams "[method]output-stream.blocking-write-and-flush" (func $write))
  (core module $memory (memory (export "memory") 1))
  (core instance $mem (instantiate $memory))
  (alias core export $mem "memory" (core memory $memory'))
  (core func $get' (canon lower (func $get)))
  (core func $write' (canon lower (func $write) (memory $memory')))
  (core func $drop' (canon resource.drop $out))
  (core module $m
    (import "host" "memory" (memory 1))
    (import "host" "stdout" (func $stdout (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "drop" (func $drop (param i32)))
    (func (export "run") (result i32)
      (loop $again
        (drop (call $stdout))
        (br $again))
      i32.const 0))
  (core instance $i (instantiate $m (with "host" (instance
    (export "memory" (memory $memory'))
    (export "stdout" (func $get'))
    (export "write" (func $write'))
    (export "drop" (func $drop'))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
