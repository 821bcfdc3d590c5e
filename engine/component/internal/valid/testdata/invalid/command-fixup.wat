;; it is a function [i32 i32 i32] -> [], where [i32 i32 i32 i32] -> [] is needed
(component
  (import "i" (instance $i (export "r" (type $r (sub resource))) (export "w" (func (param "self" (borrow $r)) (param "c" (list u8))))))
  (core module $Main (memory (export "memory") 1)) (core instance $main (instantiate $Main))
  (alias export $i "w" (func $w))
  (core func $w (canon lower (func $w) (memory (core memory $main "memory"))))
  (core module $Fixup (import "" "0" (func (param i32 i32 i32 i32))))
  (core instance (instantiate $Fixup (with "" (instance (export "0" (func $w)))))))
