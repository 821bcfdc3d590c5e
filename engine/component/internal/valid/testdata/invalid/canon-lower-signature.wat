;; it is a function [i32] -> [], where [i64] -> [] is needed
(component (import "f" (func $f (param "a" u8))) (core func $l (canon lower (func $f)))
  (core module $m (import "" "f" (func (param i64)))) (core instance (instantiate $m (with "" (instance (export "f" (func $l)))))))
