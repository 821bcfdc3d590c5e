;; Two instances of one module, alike; a third whose imports come from elsewhere. A bundle
;; mixes what the host does with what another instance exports.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (core module $memory (memory (export "memory") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0))
  (core module $user
    (import "env" "memory" (memory 1))
    (import "env" "poll" (func (param i32 i32 i32))))
  (core instance $m1 (instantiate $memory))
  (core instance $m2 (instantiate $memory))
  (alias core export $m1 "memory" (core memory $memory1))
  (core func $poll (canon lower (func $poll "poll") (memory $memory1) (realloc (core func $m1 "realloc"))))
  (core instance $env1 (export "memory" (memory $memory1)) (export "poll" (func $poll)))
  (core instance $env2 (export "memory" (memory $m2 "memory")) (export "poll" (func $poll)))
  (core instance $u1 (instantiate $user (with "env" (instance $env1))))
  (core instance $u2 (instantiate $user (with "env" (instance $env2))))
)
