;; the module has no export "f"
(component (component $c (import "m" (core module (export "f" (func))))) (core module $m)
  (instance (instantiate $c (with "m" (core module $m)))))
