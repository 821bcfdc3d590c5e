;; the export "f" is a function, and not a component
(component (import "i" (instance $i (export "f" (func)))) (alias export $i "f" (component)))
