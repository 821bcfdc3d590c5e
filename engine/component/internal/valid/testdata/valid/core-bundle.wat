(component (core module $e (func (export "f"))) (core instance $e (instantiate $e)) (alias core export $e "f" (core func $f))
  (core instance $b (export "one" (func $f)) (export "two" (func $f)))
  (core module $m (import "" "one" (func)) (import "" "two" (func)))
  (core instance (instantiate $m (with "" (instance $b)))))
