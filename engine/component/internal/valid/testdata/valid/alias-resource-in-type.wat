(component $c (import "r" (type $r (sub resource))) (type (instance (alias outer $c $r (type $s)) (export "f" (func (param "a" (borrow $s)))))))
