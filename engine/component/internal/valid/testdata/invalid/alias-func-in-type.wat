;; an alias of a function in a type
(component (type (component (import "i" (instance $i (export "f" (func)))) (alias export $i "f" (func)))))
