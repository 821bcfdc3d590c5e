;; may-leave: post-return may not make a resource
;; traps: called an import
(component
  (component $Other (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func (export "f") (canon lift (core func $i "f"))))
  (instance $other (instantiate $Other))
  (component $Callee
    (import "f" (func $f))
    (type $r (resource (rep i32)))
    (core func $f' (canon lower (func $f)))
    (core func $new (canon resource.new $r)) (core func $rep (canon resource.rep $r)) (core func $drop (canon resource.drop $r))
    (core module $m
      (import "o" "f" (func $f)) (import "o" "new" (func $new (param i32) (result i32))) (import "o" "rep" (func $rep (param i32) (result i32))) (import "o" "drop" (func $drop (param i32)))
      (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
      (memory (export "memory") 1)
      (global $h (mut i32) (i32.const 0)) (global $posts (mut i32) (i32.const 0)) (global $reallocs (mut i32) (i32.const 0))
      (data (i32.const 256) "\08\01\00\00\03\00\00\00abc")
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (global.set $reallocs (i32.add (global.get $reallocs) (i32.const 1))) (i32.const 1024))
      (func (export "post") (param i32) (global.set $posts (i32.add (global.get $posts) (i32.const 1))) (drop (call $new (i32.const 1))))
      (func (export "say") (param i32 i32) (result i32) (global.set $h (call $new (i32.const 5))) (i32.const 256))
      (func (export "posts") (result i32) (global.get $posts)) (func (export "reallocs") (result i32) (global.get $reallocs)))
    (core instance $i (instantiate $m (with "o" (instance (export "f" (func $f')) (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
    (func (export "say") (param "s" string) (result string) (canon lift (core func $i "say") (memory (core memory $i "memory")) (realloc (core func $i "realloc")) (post-return (core func $i "post"))))
    (func (export "posts") (result u32) (canon lift (core func $i "posts"))) (func (export "reallocs") (result u32) (canon lift (core func $i "reallocs"))))
  (instance $callee (instantiate $Callee (with "f" (func $other "f"))))
  (core module $memory (memory (export "memory") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 512)))
  (core instance $mem (instantiate $memory))
  (core func $say (canon lower (func $callee "say") (memory (core memory $mem "memory")) (realloc (core func $mem "realloc"))))
  (core func $posts (canon lower (func $callee "posts"))) (core func $reallocs (canon lower (func $callee "reallocs")))
  (core module $m
    (import "mem" "memory" (memory 1)) (import "o" "say" (func $say (param i32 i32 i32))) (import "o" "posts" (func $posts (result i32))) (import "o" "reallocs" (func $reallocs (result i32)))
    (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $say (i32.const 0) (i32.const 3) (i32.const 64))
      
      (i32.const 0)))
  (core instance $main (instantiate $m (with "mem" (instance $mem)) (with "o" (instance (export "say" (func $say)) (export "posts" (func $posts)) (export "reallocs" (func $reallocs))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
