;; the export "f" is a core function, and not a core memory
(component (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (alias core export $i "f" (core memory)))
