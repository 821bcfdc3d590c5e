;; type 0 is not of values
(component (type $c (component)) (type (func (param "a" $c))))
