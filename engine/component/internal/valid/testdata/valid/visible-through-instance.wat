(component (import "i" (instance $i (export "r" (type $r (sub resource))))) (alias export $i "r" (type $r)) (import "f" (func (param "a" (list (own $r))))))
